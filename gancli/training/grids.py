"""How the grids of a run are laid out."""

from collections.abc import Sequence

import torch
from torch import Tensor

GRID = 64  # images in the grids of a run
ROW, MOST_ROWS = 10, 32  # where classes are drawn: images of a class in a row, and classes
COLUMNS = 8


def interleaved(panels: Sequence[Tensor]) -> Tensor:
    """Order panels (N, C, H, W) for a grid: a row of the first, below it the same row of the second, and so on."""
    if len(panels) == 1 or len(panels[0]) < COLUMNS:
        return torch.cat(list(panels))
    whole = len(panels[0]) // COLUMNS
    rows = [panel[: whole * COLUMNS].unflatten(0, (whole, COLUMNS)) for panel in panels]
    return torch.stack(rows, 1).flatten(0, 2)
