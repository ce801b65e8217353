"""Open SRC of the command line: a folder, an archive, arrays, a torchvision data set, or a built-in."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gancli.data.request import Request
from gancli.data.sources import archives, arrays, builtin, folders
from gancli.data.sources.decode import Item, Pictures, decode
from gancli.data.sources.listing import Listed
from gancli.data.sources.torchvision import NAMED, open_named
from gancli.errors import UserError, missing
from gancli.images.reading import check_pixels
from gancli.system.untrusted.door import check_regular, reading
from gancli.system.untrusted.names import expanded

MOST_CLASSES = 2**16
MOST_CHANNELS = 4


class Listing(NamedTuple):
    """Images that are not decoded yet."""

    name: str
    items: Sequence[Item]
    classes: list[str]
    key: str  # changes when any image does
    split: str = ""  # for sources that have splits
    notes: tuple[str, ...] = ()  # about files that are not read


def open_source(request: Request) -> Pictures:
    """Decode the images that `request.data` names; raise UserError if it does not exist or holds no images."""
    if request.data in builtin.names():
        return builtin.open_builtin(request.data, request.wanted)
    found = list_source(request)
    pictures = decode(found.name, found.items, found.classes, request.wanted, found.key, request.report)
    return replace(pictures, notes=(*pictures.notes, *found.notes))


def list_source(request: Request) -> Listing:
    """List the images that `request.data` names, unless it is a built-in; raise UserError as `open_source` does."""
    src = request.data
    if src in NAMED:
        items, classes = open_named(src, request.split)
        return Listing(src, items, classes, f"{src}:{request.split}:{len(items)}", request.split)
    path = expanded(src)
    if path.is_dir():
        return _list_folder(path, request)
    if path.exists():
        return _list_file(path)
    if re.search(r"[/\\.~]", src):
        raise UserError(f"--data {src}: no such file or folder")
    raise missing("data set or folder", src, [*builtin.names(), *NAMED])


def _list_file(path: Path) -> Listing:
    check_regular(path)
    name = path.name.split(".")[0]
    if archives.is_archive(path):
        return _of_files(name, archives.in_archive(path))
    if path.suffix.lower() == ".npz":
        return _list_arrays(path, *arrays.read_npz(path), name)
    if "idx3" in path.name:
        return _list_arrays(path, arrays.read_idx(path), None, name)
    raise UserError(f"{path} is not a folder, a .zip or .tar of images, an .npz or an idx file")


def _list_folder(folder: Path, request: Request) -> Listing:
    if found := arrays.idx_files(folder, request.split):
        images, labels = found
        marks = arrays.read_idx(labels) if labels else None
        listing = _list_arrays(images, arrays.read_idx(images), marks, folder.name)
        return listing._replace(split=request.split)
    return _of_files(folder.resolve().name, folders.in_folder(folder))


def _of_files(name: str, found: Listed) -> Listing:
    return Listing(name, found.items, found.classes, repr(found.key), notes=found.notes)


def _list_arrays(path: Path, images: NDArray[np.uint8], labels: NDArray | None, name: str) -> Listing:
    if images.ndim not in (3, 4) or 0 in images.shape or (images.ndim == 4 and images.shape[3] > MOST_CHANNELS):
        raise UserError(f"{path} holds no images: its shape is {list(images.shape)}, not (N, H, W) or (N, H, W, C)")
    with reading(str(path)):
        check_pixels(images.shape[1] * images.shape[2])
    if labels is not None and labels.shape != (len(images),):
        raise UserError(f"{path} has {len(images):,} images but labels of shape {list(labels.shape)}")
    if labels is not None and labels.max(initial=0) >= MOST_CLASSES:
        raise UserError(f"{path} has labels up to {labels.max():,}: they must number the classes from 0")
    about = path.stat()
    key = repr((str(path.resolve()), about.st_size, about.st_mtime_ns))
    classes = [str(c) for c in range(int(labels.max()) + 1)] if labels is not None and len(labels) else []
    return Listing(name, arrays.Rows(images, labels), classes, key)
