"""Images in folders."""

import os
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from gancli.data.sources.decode import Item
from gancli.data.sources.listing import Items
from gancli.errors import UserError
from gancli.images.reading import open_picture

COMMON = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff")
RARE = (".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".avif", ".jp2")
SUFFIXES = frozenset(COMMON + RARE)


class Files(Items):
    """The images of a folder."""

    def __init__(self, folder: Path, names: list[str], classes: list[str]) -> None:
        self._folder, self._names, self._labels = folder, names, {name: i for i, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self._names)

    def item(self, index: int) -> Item:
        """Return the item of a file."""
        name = self._names[index]
        return Item(name, label_of(name, self._labels), lambda: open_picture(self._folder / name))


def in_folder(folder: Path) -> tuple[Sequence[Item], list[str], list[object]]:
    """List the images below a folder, sorted by name; their classes; and a key that changes when any file does.

    Sub-folders are classes if there are at least two of them and no images beside them.
    """
    names: list[str] = []
    digest = sha256()
    for name, about in _below(str(folder), "", (), _is_named_image):
        names.append(name)
        size, changed = about.st_size, about.st_mtime_ns
        digest.update(f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape"))
    if not names:
        raise UserError(f"no images in {folder}: it must hold .png, .jpg, .webp or similar files, flat or in folders")
    classes = class_names(names)
    return Files(folder, names, classes), classes, [str(folder.resolve()), digest.hexdigest()]


def others_in(folder: Path) -> list[str]:
    """List the files below a folder that are no images by their names, and so are not read."""
    return [name for name, _ in _below(str(folder), "", (), lambda name: not _is_named_image(name))]


def _is_named_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _below(
    folder: str, path: str, above: tuple[tuple[int, int], ...], wanted: Callable[[str], bool]
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield name and status of every wanted file: a folder's own files before those of its sub-folders.

    A link to a folder above itself is skipped: following it would never end.
    """
    about = os.stat(folder)
    if (here := (about.st_dev, about.st_ino)) in above:
        return
    with os.scandir(folder) as found:
        entries = sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    folders = []
    for entry in entries:
        if entry.is_dir():
            folders.append(entry.name)
        elif wanted(entry.name) and entry.is_file():  # not a dangling link, nor a pipe that would block forever
            yield path + entry.name, entry.stat()
    for name in folders:
        yield from _below(f"{folder}/{name}", f"{path}{name}/", (*above, here), wanted)


def class_names(names: list[str]) -> list[str]:
    """Return the classes of paths: their top folders, if there are at least two and no files beside them."""
    tops = {top if below else "" for top, below, _ in (name.partition("/") for name in names)}
    return sorted(tops) if len(tops) > 1 and "" not in tops else []


def label_of(name: str, classes: dict[str, int]) -> int:
    """Return the class of a path, -1 if there are no classes."""
    return classes[name.partition("/")[0]] if classes else -1
