"""The order of the data: a pure function of the seed and the position, so no state needs to be stored."""

from functools import lru_cache

import torch
from torch import Tensor

from gancli.system.seeds import seed_of


def order(seed: int, rows: int, first: int, count: int) -> Tensor:
    """Return the rows (count,) at first, first + 1, … of an endless order in which every epoch is a permutation."""
    parts, place = [], first
    while place < first + count:
        epoch, offset = divmod(place, rows)
        end = min(rows, offset + first + count - place)
        parts.append(_permutation(seed, rows, epoch)[offset:end])
        place += end - offset
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


@lru_cache(maxsize=4)
def _permutation(seed: int, rows: int, epoch: int) -> Tensor:
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed_of("order", seed, epoch)))
