"""Paired images: a source and its target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Request
from gancli.data.sources import archives, builtin, folders
from gancli.data.sources.decode import Item, decode
from gancli.data.sources.layouts import split_of, two_of
from gancli.data.sources.listing import Listed
from gancli.data.sources.open import open_source
from gancli.data.spec import DataSpec
from gancli.data.synthetic.pairs import MAKERS
from gancli.errors import UserError
from gancli.images.reading import UNREADABLE
from gancli.system.untrusted.names import expanded

Rows = NDArray[np.uint8]  # (N, C, H, W)
Open = Callable[[], Image.Image]


@dataclass
class Paired(Batch):
    """A source and its target, row by row."""

    needs: ClassVar[str] = "pairs of images"
    uses: ClassVar[tuple[str, ...]] = ("data_b", "pairs", "direction")

    source: Tensor  # (N, C, H, W)
    target: Tensor  # (N, C, H, W)

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read side-by-side images, two folders matched by file name, or targets from which sources are made."""
        if request.pairs is not None:
            return cls._made(request, request.pairs)
        found = _open(request)
        domains, rows = found.domains, found.rows
        if request.direction == "BA":
            domains, rows = domains[::-1], rows[::-1]
        source, target = (torch.from_numpy(images) for images in rows)
        channels, height, width = source.shape[1:]
        spec = DataSpec(channels, height, width, domains=domains)
        content = f"{request.direction or 'AB'} {found.content}"
        return Dataset(found.name, spec, cls, {"source": source, "target": target}, found.notes, content=content)

    @classmethod
    def _made(cls, request: Request, pairs: str) -> "Dataset[Self]":
        if request.data_b or request.direction:
            raise UserError("--pairs makes the source images, so it cannot be combined with --data-b or --direction")
        pictures = open_source(request)
        channels, height, width = pictures.images.shape[1:]
        spec = DataSpec(channels, height, width, domains=(pairs, pictures.name))

        def make(target: Tensor) -> Self:
            return cls(MAKERS[pairs](target), target)

        notes = (*pictures.notes, f"source images made from them: {pairs}")
        columns = {"target": torch.from_numpy(pictures.pixels)}
        return Dataset(pictures.name, spec, cls, columns, notes, make, content=f"{pairs} {pictures.digest}")


class Found(NamedTuple):
    """Two domains, matched row by row."""

    name: str
    domains: tuple[str, str]
    rows: tuple[Rows, Rows]
    notes: tuple[str, ...]
    content: str  # a hash of the rows and of their pairing


def _open(request: Request) -> Found:
    data = request.data
    if request.data_b is None and builtin.has_domains(data):
        rows = builtin.domains(data, request.wanted, matched=True)
        content = builtin.domains_digest(data, request.wanted, matched=True)
        return Found(data, builtin.DOMAINS, rows, (f"{len(rows[0]):,} generated pairs",), content)
    path = expanded(split_of(data, request.split))
    if request.data_b is not None:
        other = expanded(request.data_b)
        a, b = _listed(path, data), _listed(other, request.data_b)
        sides = a.items, b.items
        found = _decode(f"{path.name}-{other.name}", (path.name, other.name), sides, [a.key, b.key], request)
        return found._replace(notes=(*found.notes, *a.notes, *b.notes))
    listed = _listed(path, data)
    found = _in_one(listed, request)
    return found._replace(notes=(*found.notes, *listed.notes))


def _in_one(listed: Listed, request: Request) -> Found:
    """Decode a source that holds both sides, in two sub-folders or side by side."""
    data, items, folders, key = request.data, listed.items, listed.classes, listed.key
    name = expanded(data).resolve().name.split(".")[0]
    if folders:
        first, second = two_of(tuple(folders), request)
        sides = [item for item in items if item.label == first], [item for item in items if item.label == second]
        return _decode(name, (folders[first], folders[second]), (_below(sides[0]), _below(sides[1])), key, request)
    _check_side_by_side(items[0], data)
    halves = [[item._replace(open=partial(_half, item.open, right)) for item in items] for right in (False, True)]
    return _decode(name, ("left", "right"), (halves[0], halves[1]), key, request)


def _listed(path: Path, given: str) -> Listed:
    if path.is_dir():
        return folders.in_folder(path)
    if path.is_file() and archives.is_archive(path):
        return archives.in_archive(path)
    raise UserError(f"--data {given}: pairs need a folder or an archive of images, or a built-in data set")


def _below(items: Sequence[Item]) -> list[Item]:
    """Remove the domain's folder from the names of the items."""
    return [item._replace(name=str(PurePosixPath(*PurePosixPath(item.name).parts[1:]))) for item in items]


def _decode(
    name: str, domains: tuple[str, str], sides: tuple[Sequence[Item], Sequence[Item]], key: object, request: Request
) -> Found:
    """Decode both sides together, so that they share size and channels; skip pairs with an unreadable half.

    The label of an item encodes its pair and its side.
    """
    by_name = [{str(PurePosixPath(item.name).with_suffix("")): item for item in side} for side in sides]
    common = sorted(by_name[0].keys() & by_name[1].keys())
    if not common:
        raise UserError(f"--data {request.data}: no file in {domains[0]} has the same name as one in {domains[1]}")
    items = [
        side[stem]._replace(label=2 * i + right) for i, stem in enumerate(common) for right, side in enumerate(by_name)
    ]
    pictures = decode(name, items, (), request.wanted, repr(("pairs", key, domains)), request.report)
    pair, side = pictures.labels // 2, pictures.labels % 2
    whole = np.flatnonzero((pair[:-1] == pair[1:]) & (side[:-1] == 0))
    if len(whole) * 2 == len(pictures.images):
        rows = pictures.pixels[0::2], pictures.pixels[1::2]  # views: nothing is read into memory
    else:
        rows = pictures.pixels[whole], pictures.pixels[whole + 1]
    lonely = len(by_name[0]) + len(by_name[1]) - 2 * len(common)
    notes = (
        *pictures.notes,
        f"{len(rows[0]):,} pairs" + (f"; {lonely} files without a partner skipped" if lonely else ""),
    )
    return Found(name, domains, rows, notes, pictures.digest)


def _half(opened: Open, right: bool) -> Image.Image:
    with opened() as image:
        whole = ImageOps.exif_transpose(image)
        middle = whole.width // 2
        return whole.crop((middle, 0, 2 * middle, whole.height) if right else (0, 0, middle, whole.height))


def _check_side_by_side(item: Item, given: str) -> None:
    try:
        with item.open() as image:
            width, height = image.size
    except UNREADABLE as error:
        raise UserError(f"--data {given}: {item.name} cannot be read: {error}") from None
    if width < 1.5 * height:
        raise UserError(
            f"--data {given}: {item.name} is {width}x{height}, which is not two images side by side: "
            "give two sub-folders, --data-b FOLDER, or --pairs edges|gray|mosaic|lowres|mask"
        )
