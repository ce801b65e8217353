"""Enlargers: super-resolution generators, whose images in [0, 1] are several times as large as their input."""

from typing import TypeVar

from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.gan import GAN
from gancli.hparams import HParams

H = TypeVar("H", bound=HParams)


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
        return (self.G((image + 1) / 2) * 2 - 1).float().clamp(-1, 1)
