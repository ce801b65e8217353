"""The sample grids of a run: always the same rows of the data, and the same noise."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gancli.data.feed import Feed
from gancli.gan import GAN, Classes, each_class
from gancli.images import scatter
from gancli.images.pixels import grid, to_pixels
from gancli.system.seeds import aside

GRID = 64  # images in a sample grid
ROW, MOST_ROWS = 10, 32  # in a grid of classes: images per class (row), and most classes
COLUMNS = 8


class Grids:
    """Draw what the EMA networks of a run generate, and the data that they learn from."""

    def __init__(self, gan: GAN[Any], feed: Feed[Any], seed: int) -> None:
        self._gan, self._feed, self._seed = gan, feed, seed

    def reals(self) -> Image.Image:
        """Draw the first training images."""
        if self._gan.spec.points:
            return scatter.plot(real=self._points())
        real = self._feed.first(GRID)
        return grid(to_pixels(next(t for t in vars(real).values() if t.dim() == 4)))

    @torch.no_grad()
    def samples(self) -> Image.Image:
        """Draw generated images: panels of the data's first rows, a row per class, or points beside real points."""
        with aside("grid", self._seed):
            if self._gan.spec.points:
                generated = scatter.to_points(self._gan.fakes(self._feed.first(scatter.SHOWN)))
                return scatter.plot(generated, self._points())
            images, columns = self._classes() if isinstance(self._gan, Classes) else (self._panels(), COLUMNS)
            return grid(to_pixels(images), columns)

    def _points(self) -> scatter.Points:
        return scatter.to_points(self._feed.first(scatter.SHOWN).image)

    def _panels(self) -> Tensor:
        return interleaved(self._gan.panels(self._feed.first(GRID)))

    def _classes(self) -> tuple[Tensor, int]:
        """Generate a row per class, from the same noise in each."""
        gan: Any = self._gan
        return gan.generate(each_class(gan, gan.prior(ROW))[: ROW * MOST_ROWS]), ROW


def interleaved(panels: Sequence[Tensor]) -> Tensor:
    """Order panels (N, C, H, W) for a grid: a row of the first panel above the same row of the second, and so on."""
    if len(panels) == 1 or len(panels[0]) < COLUMNS:
        return torch.cat(list(panels))
    whole = len(panels[0]) // COLUMNS
    rows = [panel[: whole * COLUMNS].unflatten(0, (whole, COLUMNS)) for panel in panels]
    return torch.stack(rows, 1).flatten(0, 2)
