"""Unpaired images of two domains."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Request
from gancli.data.sources import builtin
from gancli.data.sources.decode import Pictures
from gancli.data.sources.layouts import split_of, two_of
from gancli.data.sources.open import open_source
from gancli.data.spec import DataSpec
from gancli.errors import UserError

Rows = NDArray[np.uint8]  # (N, C, H, W)


@dataclass
class Unpaired(Batch):
    """The same number of images of A and of B; the rows are unrelated."""

    needs: ClassVar[str] = "images of two domains"
    uses: ClassVar[tuple[str, ...]] = ("data_b",)

    a: Tensor  # (N, C, H, W)
    b: Tensor  # (N, C, H, W)

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read two sub-folders (or classes) of a source, two sources, or the two domains of built-in shapes."""
        found = _open(request)
        channels, height, width = found.rows[0].shape[1:]
        spec = DataSpec(channels, height, width, domains=found.domains)
        columns = dict(zip("ab", map(torch.from_numpy, found.rows)))
        return Dataset(found.name, spec, cls, columns, found.notes, matched=False, content=found.content)


class _Found(NamedTuple):
    name: str
    domains: tuple[str, str]
    rows: tuple[Rows, Rows]
    notes: tuple[str, ...]
    content: str  # a hash of the rows


def _open(request: Request) -> _Found:
    if request.data_b is not None:
        return _two_sources(request, request.data_b)
    if builtin.has_domains(request.data):
        rows = builtin.domains(request.data, request.wanted, matched=False)
        notes = (f"{len(rows[0]):,} generated images per domain, unpaired",)
        content = builtin.domains_digest(request.data, request.wanted, matched=False)
        return _Found(request.data, builtin.DOMAINS, rows, notes, content)
    pictures = open_source(dataclasses.replace(request, data=split_of(request.data, request.split)))
    first, second = two_of(pictures.classes, request)
    rows = _of_class(pictures, first), _of_class(pictures, second)
    domains = pictures.classes[first], pictures.classes[second]
    notes = (*pictures.notes, _counts(domains, rows))
    return _Found(pictures.name, domains, rows, notes, f"{pictures.digest} {domains}")


def _two_sources(request: Request, data_b: str) -> _Found:
    """Decode both sources to one shape: the first one's size, and colour if either has colour."""
    wanted = request.wanted
    a = open_source(request)
    size = a.images.shape[2], a.images.shape[3]
    b = open_source(dataclasses.replace(request, data=data_b, wanted=dataclasses.replace(wanted, size=size)))
    channels = max(a.images.shape[1], b.images.shape[1])
    same = dataclasses.replace(request, wanted=dataclasses.replace(wanted, size=size, channels=channels))
    a, b = (
        p if p.images.shape[1] == channels else open_source(dataclasses.replace(same, data=data))
        for p, data in ((a, request.data), (b, data_b))
    )
    domains, rows = (a.name, b.name), (a.pixels, b.pixels)
    notes = (*a.notes, *b.notes, _counts(domains, rows))
    return _Found(f"{a.name}-{b.name}", domains, rows, notes, f"{a.digest} {b.digest}")


def _of_class(pictures: Pictures, label: int) -> Rows:
    """Return the rows of a class: a view if they are contiguous, as in folders, so nothing is read into memory."""
    rows = np.flatnonzero(pictures.labels == label)
    if not len(rows):
        raise UserError(f"{pictures.name} has no readable image of class {pictures.classes[label]}")
    together = rows[-1] - rows[0] + 1 == len(rows)
    return pictures.pixels[rows[0] : rows[-1] + 1] if together else pictures.pixels[rows]


def _counts(domains: tuple[str, str], rows: tuple[Rows, Rows]) -> str:
    return ", ".join(f"{len(images):,} of {name}" for name, images in zip(domains, rows))
