"""Residual generators and discriminators: SNGAN with projection, SAGAN and BigGAN.

Miyato and Koyama 2018, arXiv:1802.05637, appendix; Zhang et al. 2019, arXiv:1805.08318; Brock et al. 2019,
arXiv:1809.11096, appendix B. One network for all of them, and for several public implementations of each: what differs
is given to the constructors. Height and width may differ.
"""

import math
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets.layers.attention import SelfAttention
from gancli.nets.layers.conditional_norm import ConditionalBatchNorm2d
from gancli.nets.layers.norms import BatchNorm2d

ROTATIONS = 4  # by 0, 90, 180 and 270 degrees

# times `width`, from the coarsest feature maps to the finest, by the number of doublings (BigGAN, appendix B)
MULTIPLES = {
    4: (16, 16, 8, 4, 2),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
    7: (16, 16, 8, 8, 4, 2, 1, 1),
}
SMALL = 4  # times `width`, everywhere, for images of at most 32 pixels: 4 x 64 are the 256 channels of SNGAN


def multiples(doublings: int, taper: bool) -> tuple[int, ...]:
    """Return the channels of G's feature maps from the coarsest to the finest, in units of `width`.

    The papers' networks for images of up to 32 pixels keep them constant; with `taper` they halve at each doubling.
    """
    if doublings > max(MULTIPLES):
        return (16,) * (doublings - max(MULTIPLES)) + MULTIPLES[max(MULTIPLES)]
    if doublings in MULTIPLES:
        return MULTIPLES[doublings]
    return MULTIPLES[5][-doublings - 1 :] if taper else (SMALL,) * (doublings + 1)


# ---------------------------------------------------------------------------------------------------- sizes


def nearest(x: Tensor) -> Tensor:
    """Double height and width by repeating pixels."""
    return F.interpolate(x, scale_factor=2)


def bilinear(x: Tensor) -> Tensor:
    """Double height and width by linear interpolation (torch-mimicry)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Numerics(NamedTuple):
    """In what implementations of one generator differ."""

    eps: float = 1e-5  # of the batch norms in blocks
    last_eps: float = 1e-5  # of the one before the output
    centre: float = 1.0  # added to the gain that the code gives
    enlarge: Callable[[Tensor], Tensor] = nearest


# ------------------------------------------------------------------------------------------------ generator


class Up(nn.Module):
    """A residual block of G that doubles height and width."""

    def __init__(self, inputs: int, outputs: int, code: int, numerics: Numerics) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm2d(inputs, code, numerics.eps, numerics.centre)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = ConditionalBatchNorm2d(outputs, code, numerics.eps, numerics.centre)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.enlarge = numerics.enlarge

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, inputs, H, W) and codes (N, `code`) -> (N, outputs, 2 H, 2 W)."""
        y = self.conv1(self.enlarge(F.relu(self.norm1(x, code))))
        y = self.conv2(F.relu(self.norm2(y, code)))
        return y + self.enlarge(self.shortcut(x))  # in this order a quarter of the work: 1x1 commutes with it


class Attended(nn.Module):
    """A block of G, then self-attention."""

    def __init__(self, block: nn.Module, channels: int) -> None:
        super().__init__()
        self.block, self.attention = block, SelfAttention(channels)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Apply both."""
        return self.attention(self.block(x, code))


class Codes(nn.Module):
    """What enters G where: the first layer gets a part of the noise, each block the label and a part of the noise.

    The label, one-hot rows (N, K), may be replaced by an embedding that all blocks share, and K may be 0.
    """

    def __init__(self, classes: int, embedding: int, parts: Sequence[int]) -> None:
        super().__init__()
        shared = bool(classes and embedding)
        self.embed = nn.Linear(classes, embedding, bias=False) if shared else nn.Identity()
        self.parts, self.label = list(parts), embedding if shared else classes

    @property
    def first(self) -> int:
        """Return the size of the input of the first layer."""
        return self.parts[0]

    @property
    def sizes(self) -> list[int]:
        """Return the sizes of the blocks' codes."""
        return [self.label + part for part in self.parts[1:]]

    def forward(self, z: Tensor) -> list[Tensor]:
        """Split latents (N, noise + K): the input of the first layer, and a code for each block."""
        first, *rest, y = z.split([*self.parts, z.shape[1] - sum(self.parts)], 1)
        label = self.embed(y)
        return [first, *(torch.cat([label, part], 1) for part in rest)]


def whole(z_dim: int, blocks: int) -> list[int]:
    """Return the parts of the noise where all of it enters at the first layer."""
    return [z_dim, *[0] * blocks]


def chunks(z_dim: int, blocks: int) -> list[int]:
    """Return the parts of the noise where each block gets an equal one (BigGAN, section 3.1); the first the rest."""
    part = z_dim // (blocks + 1)
    return [z_dim - part * blocks, *[part] * blocks]


class Generator(nn.Module):
    """Residual blocks from a latent to an image; z (N, Z) -> (N, C, H, W) in [-1, 1].

    `codes` splits a latent into the input of the first layer, of size `first`, and a code for each block. `spare` are
    outputs of the last layer that are not used; DeepMind's networks have them.
    """

    def __init__(
        self, spec: DataSpec, codes: nn.Module, first: int, blocks: Sequence[nn.Module], channels: Sequence[int],
        doublings: int, last_eps: float = 1e-5, spare: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.coarsest = channels[0], spec.height >> doublings, spec.width >> doublings
        self.codes, self.blocks = codes, nn.ModuleList(blocks)
        self.linear = nn.Linear(first, math.prod(self.coarsest))
        self.norm = BatchNorm2d(channels[-1], last_eps)
        self.head = nn.Conv2d(channels[-1], spec.channels + spare, 3, padding=1)
        self.shown = spec.channels

    def forward(self, z: Tensor) -> Tensor:
        """Generate images from latents that end in a label, if there are classes."""
        first, *codes = self.codes(z)
        x = self.linear(first).unflatten(1, self.coarsest)
        for block, code in zip(self.blocks, codes):
            x = block(x, code)
        return self.head(F.relu(self.norm(x)))[:, : self.shown].tanh()


def generator(
    spec: DataSpec, channels: Sequence[int], codes: Codes, attention: int = 0, numerics: Numerics | None = None
) -> Generator:
    """Build G with these channels, from the coarsest to the finest.

    `attention` is how often the image's resolution is halved where self-attention is; 0: nowhere.
    """
    attended = [len(channels) - 2 - attention] if attention else []
    return attended_generator(spec, channels, codes, attended, numerics)


def attended_generator(
    spec: DataSpec, channels: Sequence[int], codes: Codes, attended: Collection[int], numerics: Numerics | None = None
) -> Generator:
    """Build G with self-attention after the blocks of these indices."""
    numerics = numerics or Numerics()
    blocks: list[nn.Module] = []
    for i, ((before, after), code) in enumerate(zip(pairwise(channels), codes.sizes)):
        up = Up(before, after, code, numerics)
        blocks.append(Attended(up, after) if i in attended else up)
    return Generator(spec, codes, codes.first, blocks, channels, len(blocks), numerics.last_eps)


# --------------------------------------------------------------------------------------------- discriminator


class Down(nn.Module):
    """A residual block of D, which may halve height and width; the first one sees pixels, without a ReLU before."""

    def __init__(self, inputs: int, outputs: int, halves: bool, first: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if halves or inputs != outputs else nn.Identity()
        self.halves, self.first = halves, first

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2), or of the same size."""
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.halves:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        return y + self.shortcut(x)


def trunk(spec: DataSpec, channels: Sequence[int], halvings: int, attention: int = 0) -> nn.Sequential:
    """Build the blocks of D with these outputs, the first of which halve the size.

    `attention` is after how many halvings self-attention is; 0: nowhere.
    """
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise([spec.channels, *channels])):
        layers.append(Down(before, after, i < halvings, first=i == 0))
        if attention and i + 1 == min(attention, halvings):
            layers.append(SelfAttention(after))
    return nn.Sequential(*layers, nn.ReLU())


class Discriminator(nn.Module):
    """A trunk, whose summed features the label is projected on: Miyato and Koyama 2018, eq. 3 and figure 14.

    Images (N, C, H, W) and one-hot labels (N, K) -> logits (N,); K may be 0. With `turned`, it also tells by how much
    an image was rotated, and with `named` its class (Lucic et al. 2019, arXiv:1903.02271, figure 3).
    """

    def __init__(
        self, trunk: nn.Sequential, features: int, classes: int, *, turned: bool = False, named: bool = False
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(features, 1)
        self.embed = nn.Linear(classes, features, bias=False) if classes else None
        self.turned = nn.Linear(features, ROTATIONS) if turned else None
        self.named = nn.Linear(features, classes) if named else None

    def features(self, x: Tensor) -> Tensor:
        """Return the features of images, summed over positions: (N, F)."""
        return self.trunk(x).sum((2, 3))

    def realness(self, features: Tensor, y: Tensor) -> Tensor:
        """Judge features with labels."""
        logits = self.head(features).squeeze(1)
        return logits if self.embed is None else logits + (self.embed(y) * features).sum(1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge images with their labels."""
        return self.realness(self.features(x), y)


# -------------------------------------------------------------------------------------------- initialisation


def glorot(layer: nn.Module) -> None:
    """Initialise as Glorot and Bengio 2010, times sqrt 2 before a ReLU (the authors of SNGAN); norms as plain ones."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        last = layer.weight[0].numel() == layer.weight.shape[1]  # 1x1, or fully connected
        nn.init.xavier_uniform_(layer.weight, 1.0 if last else 2**0.5)
        _without_bias(layer)
    elif isinstance(layer, ConditionalBatchNorm2d) and layer.gain is not None and layer.bias is not None:
        nn.init.constant_(layer.gain.weight, 1.0 - layer.centre)
        nn.init.zeros_(layer.bias.weight)


def orthogonal(layer: nn.Module) -> None:
    """Initialise orthogonally (BigGAN, appendix C, after Saxe et al. 2014)."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.orthogonal_(layer.weight)
        _without_bias(layer)


def _without_bias(layer: nn.Conv2d | nn.Linear) -> None:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
