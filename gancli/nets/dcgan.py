"""The convolutional networks of DCGAN: Radford et al. 2016, arXiv:1511.06434, section 3.

In the form that the authors' Torch code gave them: 4x4 kernels, no fully connected layer, no bias before a norm. At
64 x 64 x 3, z 100 and width 64 they have 3,576,704 and 2,765,633 parameters, of which D's first and last layer have 65
biases. Without those, a D without norms would be blind to contrast: D(2x) = 2 D(x).
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from torch import Tensor, nn

from gancli.data.spec import DataSpec, halvings
from gancli.errors import UserError
from gancli.nets.layers.convolution import Convolution, Transposed
from gancli.nets.layers.norms import BatchNorm2d, LayerNorm2d
from gancli.nets.layers.stddev import MinibatchStddev

Norm = Callable[[int], nn.Module]
NORMS: Mapping[str, Norm | None] = {"batch": BatchNorm2d, "layer": LayerNorm2d, "spectral": None, "none": None}
SLOPE = 0.2  # of LeakyReLU below 0 (section 4)
MAPPED = 256  # units of each layer of a mapping network
WIDEST = 8  # times `width`: deeper networks for larger images grow no wider than the paper's at 64 pixels


def stages(spec: DataSpec) -> int:
    """How often the images halve before their shorter side is 4 to 7 pixels; raises UserError if they do not."""
    count = halvings(spec.height, spec.width)
    if not count:
        raise UserError(
            f"convolutional networks need sides that halve to 4..7 pixels, not {spec.width}x{spec.height}: "
            "give --size (such as 28, 32, 64 or 48x32)"
        )
    return count


def _channels(width: int, spec: DataSpec) -> list[int]:
    """Channels from the finest resolution but one to the coarsest."""
    return [width * min(2**i, WIDEST) for i in range(stages(spec))]


def _coarsest(spec: DataSpec) -> tuple[int, int]:
    count = stages(spec)
    return spec.height >> count, spec.width >> count


class Generator(nn.Module):
    """Fractionally strided convolutions from a latent to an image; z (N, Z) -> (N, C, H, W) in [-1, 1].

    With `mapping` layers, a fully connected network transforms z first, as noise lacks the gaps between the modes of
    data (StyleGAN, Karras et al. 2019, arXiv:1812.04948, section 4).
    """

    def __init__(
        self, z_dim: int, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d, mapping: int = 0
    ) -> None:
        super().__init__()
        self.mapping = _mapping(z_dim, mapping)
        channels = [MAPPED if mapping else z_dim, *reversed(_channels(width, spec))]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(channels)):
            if i == 0:
                layers.append(Transposed(before, after, _coarsest(spec), bias=not norm))
            else:
                layers.append(Transposed(before, after, 4, 2, 1, bias=not norm))
            layers += [*([norm(after)] if norm else []), nn.ReLU(inplace=True)]
        self.net = nn.Sequential(*layers).apply(initialise if norm else initialise_unnormed)
        last = nn.ConvTranspose2d(channels[-1], spec.channels, 4, 2, 1, bias=False)
        self.net.extend([last.apply(initialise), nn.Tanh()])

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from latents."""
        return self.net(self.mapping(z)[:, :, None, None])


def _mapping(z_dim: int, count: int) -> nn.Sequential:
    sizes = [z_dim, *[MAPPED] * count]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.LeakyReLU(SLOPE))]
    return nn.Sequential(*layers).apply(initialise_unnormed)


class Encoder(nn.Module):
    """Strided convolutions in place of pooling; images (N, C, H, W) -> codes (N, Z)."""

    def __init__(
        self, z_dim: int, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d, stddev: bool = False
    ) -> None:
        super().__init__()
        channels = [spec.channels, *_channels(width, spec)]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(channels)):
            normed = [norm(after)] if norm and i else []  # none on the input (section 3)
            layers += [Convolution(before, after, 4, 2, 1, bias=not normed), *normed, nn.LeakyReLU(SLOPE, inplace=True)]
        self.trunk = nn.Sequential(*layers, *([MinibatchStddev()] if stddev else []))
        self.head = Convolution(channels[-1] + stddev, z_dim, _coarsest(spec))
        self.apply(initialise if norm else initialise_unnormed)

    def forward(self, x: Tensor) -> Tensor:
        """Encode images."""
        return self.head(self.trunk(x)).flatten(1)


class Discriminator(Encoder):
    """An encoder to one number: images (N, C, H, W) -> logits (N,), or (N, outputs) for several."""

    def __init__(
        self, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d, outputs: int = 1, stddev: bool = False
    ) -> None:
        super().__init__(outputs, width, spec, norm, stddev)

    def forward(self, x: Tensor) -> Tensor:
        """Judge images."""
        return super().forward(x).squeeze(1)


def code_head(D: Discriminator, hidden: int, outputs: int) -> nn.Sequential:
    """Build a head for D's trunk with a hidden layer: features -> (N, outputs)."""
    layers = nn.Sequential(
        nn.Conv2d(D.head.in_channels, hidden, D.head.kernel_size, bias=False),  # pyright: ignore[reportArgumentType]
        BatchNorm2d(hidden),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(hidden, outputs, 1),
        nn.Flatten(),
    )
    return layers.apply(initialise)


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02) (section 4); a norm's scale from N(1, 0.02) as in the authors' code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        _without_bias(module)
    elif isinstance(module, BatchNorm2d | LayerNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def initialise_unnormed(module: nn.Module) -> None:
    """Initialise as He et al. 2015, arXiv:1502.01852, eq. 15: without a norm, N(0, 0.02) would let signals fade."""
    if isinstance(module, nn.ConvTranspose2d):
        inputs = module.in_channels * math.prod(module.kernel_size) / math.prod(module.stride)  # to each output
        alone = module.stride == (1, 1)  # from one pixel
        nn.init.normal_(module.weight, 0.0, (2 / (module.in_channels if alone else inputs)) ** 0.5)
        _without_bias(module)
    elif isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, SLOPE)
        _without_bias(module)


def _without_bias(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> None:
    if module.bias is not None:
        nn.init.zeros_(module.bias)
