"""Batches, and the data sets that they come from. N, C, H and W are as in gancli.gan."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from torch import Tensor

from gancli.data.order import order
from gancli.data.request import Request
from gancli.data.spec import DataSpec
from gancli.images.pixels import to_floats
from gancli.system.seeds import seed_of


@dataclass
class Batch:
    """Tensors of one batch, N rows each. Images are float32 in [-1, 1]."""

    needs: ClassVar[str] = ""  # a phrase: the data that the user must have
    uses: ClassVar[tuple[str, ...]] = ()  # the options of `Request` that only this kind of data has

    def __len__(self) -> int:
        return len(getattr(self, dataclasses.fields(self)[0].name))

    @classmethod
    def open(cls, request: "Request") -> "Dataset[Self]":
        """Read the data that the command line asks for, as this kind."""
        raise NotImplementedError

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply `function` to every tensor."""
        return type(self)(**{f.name: function(getattr(self, f.name)) for f in dataclasses.fields(self)})

    def split(self, parts: int) -> list[Self]:
        """Split the batch into `parts` of equal size; its length must be divisible."""
        if parts == 1:
            return [self]
        size = len(self) // parts
        return [self.map(lambda t, i=i: t[i * size : (i + 1) * size]) for i in range(parts)]


B_co = TypeVar("B_co", bound=Batch, covariant=True)


@dataclass(frozen=True)
class Dataset(Generic[B_co]):
    """The rows of a data set: uint8 images (N, C, H, W) become float32 in [-1, 1]; other columns stay as they are."""

    name: str
    spec: DataSpec
    kind: type[B_co]
    columns: dict[str, Tensor]  # by field of the batch
    notes: tuple[str, ...] = ()
    make: Callable[..., B_co] | None = None  # builds a batch from the columns; default: `kind`
    matched: bool = True  # the columns' rows belong together; if not, each column has its own order
    rows: dict[str, Tensor] = field(default_factory=dict)  # by field, the rows in use; a short list is repeated
    held_out: "Dataset[Any] | None" = None  # labelled rows that are never used for training
    unused: tuple[str, ...] = ()  # the names of classes whose labels the source has, but the variant does not use
    content: str = ""  # a hash of the columns, if known; otherwise `digest` reads them

    @cached_property
    def digest(self) -> str:
        """A sha256 of the images, labels, classes and pairing; the location of the files does not count."""
        return sha256(repr((self.kind.__name__, self.content or _content(self.columns))).encode()).hexdigest()

    def __len__(self) -> int:
        return max(map(self._length, self.columns))

    def _length(self, name: str) -> int:
        return len(self.rows.get(name, self.columns[name]))

    def to(self, device: torch.device) -> "Dataset[B_co]":
        """Move the rows to the device if they take at most a quarter of its free memory."""
        if device.type != "cuda":
            return self
        free, _ = torch.cuda.mem_get_info(device)
        stored = {id(column): column for column in self.columns.values()}  # two fields may share a column
        if sum(column.nbytes for column in stored.values()) > free / 4:
            return self
        moved = {key: column.to(device) for key, column in stored.items()}
        return dataclasses.replace(self, columns={name: moved[id(column)] for name, column in self.columns.items()})

    def at(self, seed: int, place: int, count: int, device: torch.device) -> B_co:
        """Return a batch of the rows at `place`, place + 1, … of the order; images are in channels-last layout."""
        index = {}
        for i, name in enumerate(self.columns):
            own = seed if self.matched or i == 0 else seed_of("order of", name, seed)
            index[name] = order(own, len(self) if self.matched else self._length(name), place, count)
        return self._made(index, device)

    def batch(self, index: Tensor, device: torch.device) -> B_co:
        """Return a batch of the rows at `index` (N,)."""
        return self._made(dict.fromkeys(self.columns, index), device)

    def _made(self, index: dict[str, Tensor], device: torch.device) -> B_co:
        columns = {name: _ready(column, self._used(name, index[name]), device) for name, column in self.columns.items()}
        return (self.make or self.kind)(**columns)

    def _used(self, name: str, index: Tensor) -> Tensor:
        used = self.rows.get(name)
        return index if used is None else used[index % len(used)]


def _content(columns: dict[str, Tensor]) -> str:
    said = sha256()
    for name, column in columns.items():
        said.update(repr((name, str(column.dtype), tuple(column.shape))).encode())
        for part in column.split(4096):
            said.update(part.contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return said.hexdigest()


def _ready(column: Tensor, index: Tensor, device: torch.device) -> Tensor:
    rows = _sent(column[_sent(index, column.device)], device)
    if rows.dtype != torch.uint8:
        return rows
    return to_floats(rows.contiguous(memory_format=torch.channels_last))


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to the device without waiting: to a GPU from pinned memory, so that the copy overlaps with work."""
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
