"""The networks of ProGAN: Karras et al. 2018, "Progressive Growing of GANs", arXiv:1710.10196, section 2 and table 2.

All levels are there from the start; a level is an image resolution, twice that of the level before. A new level fades
in: G's images and D's features are mixed with what the level below makes of the same input.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets import dcgan
from gancli.nets.layers.equalised import GAIN, SLOPE, EqualisedConv2d, EqualisedLinear
from gancli.nets.layers.norms import PixelNorm
from gancli.nets.layers.stddev import MinibatchStddev


def channels_of(spec: DataSpec, width: int, base: int) -> list[int]:
    """Return the channels of each level, coarsest first: `base` over the pixels of the shorter side, up to `width`."""
    short = min(spec.height, spec.width) >> dcgan.stages(spec)
    return [max(1, min(width, base // (short << level))) for level in range(dcgan.stages(spec) + 1)]


def activated(x: Tensor) -> Tensor:
    """Apply LeakyReLU."""
    return F.leaky_relu(x, SLOPE)


def enlarged(image: Tensor, times: int = 2) -> Tensor:
    """Repeat pixels: nearest neighbours."""
    return F.interpolate(image, scale_factor=times) if times > 1 else image


def shrunk(image: Tensor, times: int = 2) -> Tensor:
    """Average pixels."""
    return F.avg_pool2d(image, times) if times > 1 else image


class Growing(nn.Module):
    """A network with a resolution per level, of which it uses those up to `level`, at the start only `first`.

    `alpha` rises from 0 to 1 while the newest level fades in. Levels below `first` have no images of their own.
    """

    level: Tensor  # ()
    alpha: Tensor  # ()

    def __init__(self, levels: int, spec: DataSpec, first: int) -> None:
        super().__init__()
        self.first, self.top = first, levels - 1
        self.size = spec.height >> self.top, spec.width >> self.top  # of the coarsest level
        self.register_buffer("level", torch.tensor(first))
        self.register_buffer("alpha", torch.ones(()))

    def grow(self, level: int, alpha: float) -> None:
        """Set the level, and how far it has faded in."""
        self.level.fill_(level)
        self.alpha.fill_(alpha)

    def grown(self) -> int:
        """Read the level back, which waits for the device; within its range, as files of others may hold any."""
        return min(max(int(self.level), self.first), self.top)

    def own(self, layers: Iterable[nn.Module]) -> nn.ModuleDict:
        """Give each level that has images its layer."""
        return nn.ModuleDict({str(level): layer for level, layer in enumerate(layers) if level >= self.first})


class GrowingGenerator(Growing):
    """What generators that grow have in common: a layer `to_rgb` per level, and images that fade."""

    def __init__(self, channels: Sequence[int], spec: DataSpec, first: int) -> None:
        super().__init__(len(channels), spec, first)
        self.to_rgb = self.own(EqualisedConv2d(width, spec.channels, 1) for width in channels)

    def image(self, features: Sequence[Tensor]) -> Tensor:
        """Turn the features of a level, the last of all, into its image, in float32; fade from the level below."""
        level = len(features) - 1
        image = self.to_rgb[str(level)](features[-1]).float()
        if str(level - 1) not in self.to_rgb:
            return image
        below = enlarged(self.to_rgb[str(level - 1)](features[-2]).float())
        return torch.lerp(below, image, self.alpha)  # exactly the one or the other at 0 and 1


class Generator(GrowingGenerator):
    """Upsampling and two convolutions per level; z (N, Z) -> images of a level, nominally in [-1, 1].

    Equalised weights, and pixel norm after every convolution (section 4).
    """

    def __init__(self, z_dim: int, channels: Sequence[int], spec: DataSpec, first: int = 0) -> None:
        super().__init__(channels, spec, first)
        self.norm = PixelNorm()
        self.input = EqualisedLinear(z_dim, channels[0] * math.prod(self.size), gain=GAIN)
        self.blocks = nn.ModuleList([nn.ModuleList([convolution(channels[0], channels[0])])])
        for below, width in pairwise(channels):
            self.blocks.append(nn.ModuleList([convolution(below, width), convolution(width, width)]))

    def forward(self, z: Tensor, level: int | None = None) -> Tensor:
        """Generate images (N, C, H, W) of a level; that of `grow` by default."""
        last = self.grown() if level is None else level
        x = activated(self.input(self.norm(z))).unflatten(1, (-1, *self.size))
        x, features = self.norm(x), []
        for at in range(last + 1):
            x = enlarged(x) if at else x
            for layer in self._block(at):
                x = self.norm(activated(layer(x)))
            features.append(x)
        return self.image(features)

    def _block(self, level: int) -> nn.ModuleList:
        block = self.blocks[level]
        assert isinstance(block, nn.ModuleList)
        return block


def convolution(inputs: int, outputs: int) -> EqualisedConv2d:
    """Build a 3 x 3 convolution that LeakyReLU follows."""
    return EqualisedConv2d(inputs, outputs, 3, gain=GAIN)


class Down(nn.Module):
    """Two convolutions and averaging: the features of a level -> those of the level below."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = convolution(inputs, inputs), convolution(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        return shrunk(activated(self.conv2(activated(self.conv1(x)))))


class Discriminator(Growing):
    """G's mirror image, with minibatch standard deviation at the coarsest level (section 3).

    Images (N, C, H, W) of any level, whose size tells it, -> logits (N,). If the data have classes and are given as
    one-hot labels (N, K), there is an output for each class.
    """

    def __init__(
        self, channels: Sequence[int], spec: DataSpec, first: int = 0, classes: int = 0, down: type[nn.Module] = Down
    ) -> None:
        super().__init__(len(channels), spec, first)
        coarsest = channels[0]
        self.from_rgb = self.own(EqualisedConv2d(spec.channels, width, 1, gain=GAIN) for width in channels)
        self.blocks = nn.ModuleList(down(width, below) for below, width in pairwise(channels))
        self.stddev = MinibatchStddev()
        self.conv = convolution(coarsest + 1, coarsest)
        self.linear = EqualisedLinear(coarsest * math.prod(self.size), coarsest, gain=GAIN)
        self.head = EqualisedLinear(coarsest, max(1, classes))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Judge images."""
        level = (x.shape[2] // self.size[0]).bit_length() - 1
        features = self._features(level, x)
        for at in range(level, 0, -1):
            features = self.blocks[at - 1](features)
            if at == level and str(level - 1) in self.from_rgb:
                below = self._features(level - 1, shrunk(x))
                features = torch.lerp(below.float(), features.float(), self.alpha)
        x = activated(self.conv(self.stddev(features)))
        logits = self.head(activated(self.linear(x.flatten(1))))
        return logits.squeeze(1) if label is None or not label.shape[1] else (logits * label).sum(1)

    def _features(self, level: int, x: Tensor) -> Tensor:
        return activated(self.from_rgb[str(level)](x))
