"""Translators that are one network: from images to images of the same size, or to larger ones, or from labels."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.gan import GAN
from gancli.hparams import HParams, hparam

H = TypeVar("H", bound=HParams)


class Repainter(GAN[H]):
    """A generator G that translates images in [-1, 1], one way."""

    data = Images
    directions = ("AB",)
    multiple: int = 4
    G: nn.Module

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images (N, C, H, W)."""
        del direction
        return self.G(image).float()


class Enlarger(GAN[H]):
    """A generator G whose attribute `scale` says how many times each side is enlarged."""

    data = Images
    directions = ("AB",)
    multiple: int = 1
    G: nn.Module

    @property
    def scale(self) -> int:
        """Return how many times each side is enlarged."""
        scale = self.G.scale
        assert isinstance(scale, int)
        return scale

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Enlarge images (N, C, H, W) in [-1, 1]; values that leave the range are clipped."""
        del direction
        x = ((image + 1) / 2).contiguous(memory_format=torch.channels_last)  # on a CPU a third faster
        return (self.G(x) * 2 - 1).float().clamp(-1, 1)


@dataclass(frozen=True, kw_only=True)
class LabelMapHParams(HParams):
    """What the planes of a map of labels are."""

    inputs: int = hparam(36, "input planes: labels, and the edges of instances", min=1, max=10_000)
    edges: bool = hparam(True, "the last plane is the edges of instances")


L = TypeVar("L", bound=LabelMapHParams)


class LabelPainter(GAN[L]):
    """A generator G of images from maps of labels."""

    data = Images
    G: nn.Module

    @property
    def labels(self) -> int:
        """Return how many labels there are."""
        return self.hp.inputs - self.hp.edges

    @property
    def edges(self) -> bool:
        """Tell whether the planes of labels are followed by the edges of instances."""
        return self.hp.edges

    def draw(self, planes: Tensor) -> Tensor:
        """Generate images from planes (N, labels, H, W), with one more for edges."""
        return self.G(planes).float()
