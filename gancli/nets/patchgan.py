"""The PatchGAN discriminator: Isola et al. 2017, arXiv:1611.07004, section 3.2.2 and appendix 6.1.2.

Judges overlapping patches, each on its own: 70x70 pixels with three halvings, 34 with two, 16 with one.
At width 64 and 3 channels it has 2,763,841 parameters (the authors' 2,764,737 count biases that a norm takes out).
"""

from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets.layers.convolution import Convolution
from gancli.nets.layers.norms import InstanceNorm2d
from gancli.nets.resnet_translator import initialise

WIDEST = 8  # times `width`


class PatchGAN(nn.Module):
    """Images (N, C, H, W) -> logits (N, 1, h, w), one a patch; `given` more channels tell what was translated."""

    def __init__(self, width: int, layers: int, spec: DataSpec, given: int = 0) -> None:
        super().__init__()
        halvings = min(layers, (min(spec.height, spec.width) // 3).bit_length() - 1)  # two more cost a pixel each
        before, net = spec.channels + given, []
        for i in range(max(halvings, 1) + 1):
            after = width * min(2**i, WIDEST)
            stride = 2 if i < halvings else 1
            net.append(Convolution(before, after, 4, stride, 1, bias=i == 0))
            net += [InstanceNorm2d(after)] if i else []  # none on the input
            net.append(nn.LeakyReLU(0.2, inplace=True))
            before = after
        self.net = nn.Sequential(*net, nn.Conv2d(before, 1, 4, 1, 1))
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Judge patches."""
        return self.net(x)
