"""BigGAN-deep: Brock et al. 2019, arXiv:1809.11096, appendix B (figure 16, tables 7 to 9).

Bottleneck blocks without 1x1 shortcuts: where channels fall, G keeps the first ones; where they grow, D appends.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.resnet_gan import Attended, Generator, Numerics
from gancli.nets.layers.attention import SelfAttention
from gancli.nets.layers.conditional_norm import ConditionalBatchNorm2d

NARROW = 4  # times narrower inside a block


class Layer(NamedTuple):
    """A block of G: whether it doubles the size, and its channels."""

    doubles: bool
    inputs: int
    outputs: int


def layers(channels: Sequence[int]) -> list[Layer]:
    """Return two blocks a resolution, for channels from the coarsest to the finest; the second doubles the size."""
    return [layer for a, b in pairwise(channels) for layer in (Layer(False, a, a), Layer(True, a, b))]


class WholeCodes(nn.Module):
    """The first layer and every block get all of the noise, with an embedding of the label if there are classes."""

    def __init__(self, z_dim: int, classes: int, embedding: int, blocks: int) -> None:
        super().__init__()
        self.embed = nn.Linear(classes, embedding, bias=False) if classes else None
        self.z_dim, self.blocks = z_dim, blocks
        self.size = z_dim + (embedding if classes else 0)

    def forward(self, z: Tensor) -> list[Tensor]:
        """Return the code of latents (N, z_dim + K) for each of them."""
        noise, y = z.tensor_split([self.z_dim], 1)
        code = noise if self.embed is None else torch.cat([noise, self.embed(y)], 1)
        return [code] * (1 + self.blocks)


class Bottleneck(nn.Module):
    """A block of G: 1x1 to a quarter of the channels, two 3x3, and 1x1 back."""

    def __init__(self, layer: Layer, code: int, numerics: Numerics) -> None:
        super().__init__()
        inner = max(layer.inputs // NARROW, 1)
        widths = [layer.inputs, inner, inner, inner, layer.outputs]
        self.norms = nn.ModuleList(
            ConditionalBatchNorm2d(width, code, numerics.eps, numerics.centre) for width in widths[:-1]
        )
        kernels = (1, 3, 3, 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, kernel, padding=kernel // 2) for (a, b), kernel in zip(pairwise(widths), kernels)
        )
        self.layer, self.enlarge = layer, numerics.enlarge if layer.doubles else None

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, inputs, H, W) and codes (N, `code`) -> (N, outputs, H, W), or of twice the size."""
        y = x
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs)):
            y = F.relu(norm(y, code))
            y = conv(self.enlarge(y) if self.enlarge and i == 1 else y)
        x = x[:, : self.layer.outputs]
        return y + (self.enlarge(x) if self.enlarge else x)


def generator(
    spec: DataSpec, blocks: Sequence[Layer], codes: WholeCodes, attended: int = 0, numerics: Numerics | None = None,
    spare: int = 0,
) -> Generator:  # fmt: skip
    """Build G from these blocks, with self-attention after the first `attended` of them; 0: nowhere."""
    numerics = numerics or Numerics()
    built: list[nn.Module] = [Bottleneck(layer, codes.size, numerics) for layer in blocks]
    if attended:
        built[attended - 1] = Attended(built[attended - 1], blocks[attended - 1].outputs)
    channels = [blocks[0].inputs, *(layer.outputs for layer in blocks)]
    doublings = sum(layer.doubles for layer in blocks)
    return Generator(spec, codes, codes.size, built, channels, doublings, numerics.last_eps, spare)


class Growing(nn.Module):
    """A bottleneck block of D, which may halve the size and append channels."""

    def __init__(self, inputs: int, outputs: int, halves: bool) -> None:
        super().__init__()
        inner = max(outputs // NARROW, 1)
        widths, kernels = [inputs, inner, inner, inner, outputs], (1, 3, 3, 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, kernel, padding=kernel // 2) for (a, b), kernel in zip(pairwise(widths), kernels)
        )
        self.more = nn.Conv2d(inputs, outputs - inputs, 1) if outputs > inputs else None
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2), or of the same size."""
        y = x
        for i, conv in enumerate(self.convs):
            y = F.relu(y)
            y = conv(F.avg_pool2d(y, 2) if self.halves and i == 3 else y)
        x = F.avg_pool2d(x, 2) if self.halves else x
        return y + (x if self.more is None else torch.cat([x, self.more(x)], 1))


def trunk(spec: DataSpec, channels: Sequence[int], attention: int = 0) -> nn.Sequential:
    """Build D's blocks, two a resolution, for channels from the finest to the coarsest; the first halves the size.

    `attention` is after how many halvings self-attention is; 0: nowhere.
    """
    built: list[nn.Module] = [nn.Conv2d(spec.channels, channels[0], 3, padding=1)]
    for i, (before, after) in enumerate(pairwise(channels)):
        built += [Growing(before, after, True), Growing(after, after, False)]
        if attention and i + 1 == attention:
            built.append(SelfAttention(after))
    return nn.Sequential(*built, nn.ReLU())
