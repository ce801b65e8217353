"""Translators that are one network from images to images of the same size."""

from typing import TypeVar

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
