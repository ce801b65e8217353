"""Layout of the sample grids of a run."""

from collections.abc import Sequence

import torch
from torch import Tensor

GRID = 64  # images in a sample grid
ROW, MOST_ROWS = 10, 32  # in a grid of classes: images per class (row), and most classes
COLUMNS = 8


def interleaved(panels: Sequence[Tensor]) -> Tensor:
    """Order panels (N, C, H, W) for a grid: a row of the first panel above the same row of the second, and so on."""
    if len(panels) == 1 or len(panels[0]) < COLUMNS:
        return torch.cat(list(panels))
    whole = len(panels[0]) // COLUMNS
    rows = [panel[: whole * COLUMNS].unflatten(0, (whole, COLUMNS)) for panel in panels]
    return torch.stack(rows, 1).flatten(0, 2)
