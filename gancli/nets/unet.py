"""The U-Net of pix2pix: Isola et al. 2017, arXiv:1611.07004, section 3.2.1 and appendix 6.1.1.

Every level halves the image until it is one pixel; at width 64 and 8 levels it has 54,413,955 parameters without alpha.
Its batch norm is used by the authors with batches of one, in training and after: so it is an instance norm here,
and an image's translation never depends on what else is in the batch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets.layers.convolution import Convolution, Transposed
from gancli.nets.layers.noise import Dropout
from gancli.nets.layers.norms import InstanceNorm2d
from gancli.nets.resnet_translator import initialise

WIDEST = 8  # times `width`
MOST_LEVELS = 8
NOISY = 3  # levels with dropout, counted from the innermost but one


def levels_of(spec: DataSpec) -> int:
    """How often the sides halve, up to 8 times; raises UserError for less than twice."""
    sides = spec.height | spec.width  # its lowest set bit is the largest power of two that divides both
    levels = min((sides & -sides).bit_length() - 1, MOST_LEVELS)
    if levels < 2:
        raise UserError(f"a U-Net needs sides that halve at least twice, not {spec.width}x{spec.height}: give --size")
    return levels


class UNet(nn.Module):
    """Images to images (N, C, H, W) in [-1, 1]; each level's input is handed over to its mirror image.

    `bias` is for convolutions that no norm follows.
    """

    def __init__(self, width: int, levels: int, spec: DataSpec, dropout: float = 0.5, *, bias: bool = False) -> None:
        super().__init__()
        channels = [width * min(2**i, WIDEST) for i in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, after in enumerate(channels):
            before = channels[i - 1] if i else spec.channels
            normed = 0 < i < levels - 1  # not the input (appendix 6.1.1), nor the one pixel that is left
            norm = [InstanceNorm2d(after, affine=True)] if normed else []
            convolution = Convolution(before, after, 4, 2, 1, bias=bias and not normed)
            self.down.append(nn.Sequential(convolution, *norm))
        for i in reversed(range(1, levels)):
            before = channels[i] * (1 if i == levels - 1 else 2)
            layers = [Transposed(before, channels[i - 1], 4, 2, 1, bias=False)]
            layers += [InstanceNorm2d(channels[i - 1], affine=True)]
            noisy = levels - 1 - NOISY <= i < levels - 1
            self.up.append(nn.Sequential(*layers, *([Dropout(dropout)] if noisy else [])))
        self.head = nn.ConvTranspose2d(2 * width, spec.channels, 4, 2, 1)
        self.apply(initialise)
        self.apply(_initialise_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Translate. As in the authors' code, what is handed over has been through the leaky ReLU."""
        passed: list[Tensor] = []
        for i, down in enumerate(self.down):
            x = down(x)
            passed.append(x if i == len(self.down) - 1 else F.leaky_relu(x, 0.2))
            x = passed[-1]
        h = passed.pop()
        for up in self.up:
            h = torch.cat([passed.pop(), up(F.relu(h))], 1)
        return torch.tanh(self.head(F.relu(h)))


def _initialise_norm(module: nn.Module) -> None:
    if isinstance(module, InstanceNorm2d) and module.weight is not None:
        nn.init.normal_(module.weight, 1.0, 0.02)
