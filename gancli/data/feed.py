"""Batches in an order that is a pure function of the seed and of the images seen, so nothing of it need be stored."""

import dataclasses
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from gancli import dist
from gancli.data.spec import Batch, DataSpec
from gancli.seeds import seed_of

B_co = TypeVar("B_co", bound=Batch, covariant=True)


@dataclass(frozen=True)
class Dataset(Generic[B_co]):
    """Rows to make batches of: uint8 images (N, C, H, W), become float32 in [-1, 1]; the rest stays as it is."""

    name: str
    spec: DataSpec
    kind: type[B_co]
    columns: dict[str, Tensor]  # by field of the batch
    notes: tuple[str, ...] = ()
    rows: dict[str, Tensor] = field(default_factory=dict)  # by field, the rows in use; a short list comes round again
    held_out: "Dataset[Any] | None" = None  # labelled rows that are never trained on

    def __len__(self) -> int:
        name, column = next(iter(self.columns.items()))
        return len(self.rows.get(name, column))

    def to(self, device: torch.device) -> "Dataset[B_co]":
        """Move the rows to the device when they take at most a quarter of its free memory."""
        if device.type != "cuda":
            return self
        free, _ = torch.cuda.mem_get_info(device)
        stored = {id(column): column for column in self.columns.values()}  # two fields may share a column
        if sum(column.nbytes for column in stored.values()) > free / 4:
            return self
        moved = {key: column.to(device) for key, column in stored.items()}
        return dataclasses.replace(self, columns={name: moved[id(column)] for name, column in self.columns.items()})

    def batch(self, index: Tensor, device: torch.device) -> B_co:
        """Make a batch of the rows at `index` (N,) on the device; images are laid out channels last."""
        return self.kind(
            **{name: _ready(column, self._used(name, index), device) for name, column in self.columns.items()}
        )

    def _used(self, name: str, index: Tensor) -> Tensor:
        used = self.rows.get(name)
        return index if used is None else used[index % len(used)]


def _ready(column: Tensor, index: Tensor, device: torch.device) -> Tensor:
    rows = column[index.to(column.device)].to(device, non_blocking=True)
    if rows.dtype != torch.uint8:
        return rows
    return rows.contiguous(memory_format=torch.channels_last).float().div_(127.5).sub_(1)


@dataclass(frozen=True)
class Feed(Generic[B_co]):
    """This process's share of every batch of a run."""

    dataset: Dataset[B_co]
    batch: int  # over all processes
    seed: int
    device: torch.device

    def at(self, images: int) -> B_co:
        """Give the batch that comes after `images` images were seen."""
        share = self.batch // dist.world()
        first = images + dist.rank() * share
        return self.dataset.batch(order(self.seed, len(self.dataset), first, share), self.device)

    def first(self, n: int) -> B_co:
        """Give the first `n` rows of the data in the order of the run, whole on every process."""
        return self.dataset.batch(order(self.seed, len(self.dataset), 0, min(n, len(self.dataset))), self.device)


def order(seed: int, rows: int, first: int, count: int) -> Tensor:
    """Give the rows (count,) at places first, first + 1, … of an endless order whose every epoch is a permutation."""
    parts, place = [], first
    while place < first + count:
        epoch, offset = divmod(place, rows)
        end = min(rows, offset + first + count - place)
        parts.append(_permutation(seed, rows, epoch)[offset:end])
        place += end - offset
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


@lru_cache(maxsize=2)
def _permutation(seed: int, rows: int, epoch: int) -> Tensor:
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed_of("order", seed, epoch)))
