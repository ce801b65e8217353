"""Translators that are one network: from images to images of the same size, or to larger ones."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.gan import GAN
from gancli.hparams import HParams

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
