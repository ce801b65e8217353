"""The last layers of an enlarger, which work at the large size, on one strip of an image after another."""

from collections.abc import Callable

import torch
from torch import Tensor

PIXELS = 1 << 15  # of the small image in a strip: at 64 features and 4 times the size, each layer has 134 MB for it


def in_strips(layers: Callable[[Tensor], Tensor], x: Tensor, reach: int, scale: int) -> Tensor:
    """Enlarge features (N, C, H, W) by layers that look `reach` of its rows far; the result is that of all rows."""
    height, rows = x.shape[2], max(PIXELS // x.shape[3], 4 * reach)
    if height <= rows:
        return layers(x)
    found = []
    for top in range(0, height, rows):
        first, below = max(top - reach, 0), min(top + rows, height)
        drawn = layers(x[:, :, first : min(below + reach, height)])
        found.append(drawn[:, :, (top - first) * scale : (below - first) * scale])
    return torch.cat(found, 2)
