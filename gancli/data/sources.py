"""SRC on the command line to pictures: a folder, an archive, arrays, a name that torchvision knows, or a built-in."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gancli.data import arrays, builtin, files, named
from gancli.data.pictures import Pictures, Report, Size, Wanted, decode
from gancli.errors import UserError, missing


@dataclass(frozen=True)
class Request:
    """The data options of the command line."""

    data: str
    wanted: Wanted = field(default_factory=Wanted)
    split: str = "train"
    report: Report | None = None
    data_b: str | None = None
    pairs: str | None = None
    direction: str | None = None


def parse_size(text: str | None) -> Size | None:
    """Read `64` or `WIDTHxHEIGHT` as (height, width)."""
    if text is None:
        return None
    if not (match := re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip().lower())):
        raise UserError(f"--size {text} is not a size: give pixels such as 64, or WIDTHxHEIGHT such as 48x32")
    width = int(match[1])
    height = int(match[2] or width)
    if min(width, height) < 4 or max(width, height) > 1024:
        raise UserError(f"--size {text} is not allowed: 4 to 1024 pixels a side")
    return height, width


def open_source(request: Request) -> Pictures:
    """Decode what `request.data` names; raises UserError when it names nothing or holds no pictures."""
    src, wanted, report = request.data, request.wanted, request.report
    if src in builtin.names():
        return builtin.open_builtin(src, wanted)
    if src in named.NAMED:
        items, classes = named.open_named(src, request.split)
        return decode(src, items, classes, wanted, f"{src}:{request.split}:{len(items)}", report)
    path = Path(src).expanduser()
    if path.is_dir():
        return _open_folder(path, request)
    if path.exists():
        return _open_file(path, request)
    if re.search(r"[/\\.~]", src):
        raise UserError(f"--data {src}: there is no such file or folder")
    raise missing("data set or folder", src, [*builtin.names(), *named.NAMED])


def _open_file(path: Path, request: Request) -> Pictures:
    if files.is_archive(path):
        items, classes, key = files.in_archive(path)
        return decode(path.name.split(".")[0], items, classes, request.wanted, repr(key), request.report)
    if path.suffix.lower() == ".npz":
        images, labels = arrays.read_npz(path)
        return _decode_arrays(path, images, labels, request)
    if "idx3" in path.name:
        return _decode_arrays(path, arrays.read_idx(path), None, request)
    raise UserError(f"--data {path} is not a folder, a .zip or .tar of images, an .npz or an idx file")


def _open_folder(folder: Path, request: Request) -> Pictures:
    if found := arrays.idx_files(folder, request.split):
        images, labels = found
        return _decode_arrays(
            images, arrays.read_idx(images), arrays.read_idx(labels) if labels else None, request, folder.name
        )
    items, classes, key = files.in_folder(folder)
    return decode(folder.resolve().name, items, classes, request.wanted, repr(key), request.report)


def _decode_arrays(
    path: Path, images: NDArray[np.uint8], labels: NDArray | None, request: Request, name: str | None = None
) -> Pictures:
    if labels is not None and len(labels) != len(images):
        raise UserError(f"{path} has {len(images):,} images but {len(labels):,} labels")
    about = path.stat()
    key = repr((str(path.resolve()), about.st_size, about.st_mtime_ns))
    classes = [str(c) for c in range(int(labels.max()) + 1)] if labels is not None and len(labels) else []
    items = arrays.items_of(images, labels)
    return decode(name or path.name.split(".")[0], items, classes, request.wanted, key, request.report)
