"""The networks of R3GAN: Huang et al. 2024, "The GAN is dead; long live the GAN!", arXiv:2501.05441, section 4.

Residual stages without any norm, in which each block is the identity at the start. In the form of the authors' code:
convolutions have no bias, activations do, and a stage of another width has its 1x1 convolution at the coarser side.
At 64 x 64 x 3, z 64 and width 768, G has 22,429,824 parameters.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets import dcgan
from gancli.nets.layers.convolution import learns
from gancli.nets.layers.grouped import Grouped
from gancli.nets.layers.resampling.bilinear import doubled, halved

SLOPE = 0.2  # of the leaky ReLU below 0
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps variance through a leaky ReLU (He et al. 2015)
Layer = TypeVar("Layer", bound=nn.Conv2d)
EXPANSION = 2  # hidden channels of a block per channel of its stage
WIDE = 4  # the paper's stages of full width: 4 to 32 pixels


class Stage(NamedTuple):
    """What a network does at one resolution."""

    channels: int
    blocks: int = 2
    group: int = 16  # channels per group of the 3x3 convolutions; fewer if it does not divide the hidden channels
    expansion: int = EXPANSION


def stages(
    width: int, spec: DataSpec, wide: int = WIDE, patch: int = 1, blocks: int = 2, group: int = 16
) -> list[Stage]:
    """Return all stages from the coarsest; after `wide` ones channels halve at each doubling."""
    count = dcgan.stages(spec) + 1 - int(math.log2(patch))
    return [Stage(max(width >> max(i + 1 - wide, 0), 1), blocks, group) for i in range(count)]


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, on a CPU a matrix product, which differentiates twice faster."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D, H, W)."""
        if not learns(input, self.weight):
            return super().forward(input)
        return F.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def _pointwise(before: int, after: int, gain: float = 1.0, bias: bool = False) -> Pointwise:
    return _initialised(Pointwise(before, after, 1, bias=bias), gain)


def _linear(before: int, after: int, gain: float = 1.0) -> nn.Linear:
    layer = nn.Linear(before, after, bias=False)
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(before))
    return layer


def _initialised(layer: Layer, gain: float) -> Layer:
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    """x + f(x), f: expand, grouped 3x3 convolution, contract; f is 0 at the start (section 4.2 and appendix)."""

    def __init__(self, channels: int, group: int, total: int, expansion: int = EXPANSION) -> None:
        super().__init__()
        hidden, gain = channels * expansion, GAIN * total**-0.25  # Fixup (Zhang et al. 2019): L^(-1 / (2m - 2)), m = 3
        self.expand = _pointwise(channels, hidden, gain, bias=True)
        self.grouped = _initialised(Grouped(hidden, hidden // math.gcd(hidden, group)), gain)
        self.contract = _pointwise(hidden, channels, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), unchanged in shape."""
        y = F.leaky_relu(self.expand(x), SLOPE)
        y = F.leaky_relu(self.grouped(y), SLOPE)
        return x + self.contract(y)


# ----------------------------------------------------------------------------------------------- networks


def _coarsest(spec: DataSpec) -> tuple[int, int]:
    count = dcgan.stages(spec)
    return spec.height >> count, spec.width >> count


def _residual(stages: Sequence[Stage]) -> nn.ModuleList:
    total = sum(stage.blocks for stage in stages)
    return nn.ModuleList(
        nn.Sequential(*(Block(stage.channels, stage.group, total, stage.expansion) for _ in range(stage.blocks)))
        for stage in stages
    )


def _changes(stages: Sequence[Stage]) -> nn.ModuleList:
    """Build the layers between stages: none where the width stays."""
    widths = pairwise(stage.channels for stage in stages)
    return nn.ModuleList(nn.Identity() if a == b else _pointwise(a, b) for a, b in widths)


class Basis(nn.Module):
    """G's start: learned maps (W, H, W), each times a number that is linear in the latent."""

    def __init__(self, inputs: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *size))
        self.linear = _linear(inputs, channels)

    def forward(self, z: Tensor) -> Tensor:
        """(N, Z) -> (N, C, H, W)."""
        return self.maps * self.linear(z)[:, :, None, None]


class Generator(nn.Module):
    """Latents (N, Z) -> images (N, C, H, W) without bounds; with `classes`, Z ends in the one-hot label.

    A label is embedded in as many numbers as the noise has, or in `embedding`.
    """

    def __init__(
        self, z_dim: int, stages: Sequence[Stage], spec: DataSpec, patch: int = 1, classes: int = 0, embedding: int = 0
    ) -> None:
        super().__init__()
        self.z_dim, embedded = z_dim, embedding or z_dim
        self.label = _linear(classes, embedded) if classes else None
        self.basis = Basis(z_dim + (embedded if classes else 0), stages[0].channels, _coarsest(spec))
        self.narrow = _changes(stages)
        self.stages = _residual(stages)
        self.image = _pointwise(stages[-1].channels, spec.channels * patch**2)
        self.patch = nn.PixelShuffle(patch)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images."""
        if self.label is not None:
            z = torch.cat([z[:, : self.z_dim], self.label(z[:, self.z_dim :])], 1)
        x = self.stages[0](self.basis(z))
        for narrow, stage in zip(self.narrow, self.stages[1:]):
            x = stage(doubled(narrow(x)))
        return self.patch(self.image(x))


class Discriminator(nn.Module):
    """Images (N, C, H, W) -> logits (N,): G's stages in the reverse order; with `classes`, by projection of a label."""

    def __init__(self, stages: Sequence[Stage], spec: DataSpec, patch: int = 1, classes: int = 0) -> None:
        super().__init__()
        width, order = stages[0].channels, stages[::-1]
        self.patch = nn.PixelUnshuffle(patch)
        self.image = _pointwise(spec.channels * patch**2, stages[-1].channels)
        self.stages = _residual(order)
        self.widen = _changes(order)
        self.basis = _initialised(nn.Conv2d(width, width, _coarsest(spec), groups=width, bias=False), 1.0)
        self.linear = _linear(width, width if classes else 1)
        self.label = _linear(classes, width, 1 / math.sqrt(width)) if classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Judge images, as ones of the label (N, K) if D is conditional."""
        x = self.stages[0](self.image(self.patch(x)))
        for widen, stage in zip(self.widen, self.stages[1:]):
            x = stage(widen(halved(x)))
        x = self.linear((x * self.basis.weight[:, 0]).sum((2, 3)))
        return x.squeeze(1) if self.label is None else (x * self.label(label)).sum(1)
