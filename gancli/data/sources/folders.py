"""Images in folders."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from gancli.data.sources.decode import Item
from gancli.data.sources.listing import Ignored, Items, Listed, layout
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


def in_folder(folder: Path) -> Listed:
    """List the images below a folder, sorted by name.

    Sub-folders are classes if there are at least two of them and no images beside them.
    """
    names: list[str] = []
    digest, ignored = sha256(), Ignored()
    for name, about in _below(str(folder), "", (), ignored):
        names.append(name)
        size, changed = about.st_size, about.st_mtime_ns
        digest.update(f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape"))
    if not names:
        raise UserError(f"no images in {folder}: it must hold .png, .jpg, .webp or similar files, flat or in folders")
    classes, notes = layout(names)
    key: list[object] = [str(folder.resolve()), digest.hexdigest()]
    return Listed(Files(folder, names, classes), classes, key, (*notes, *ignored.notes()))


def others_in(folder: Path) -> list[str]:
    """List the files below a folder that are no images by their names, and so are not read."""
    ignored = Ignored()
    for _ in _below(str(folder), "", (), ignored):
        pass
    return [name for name in ignored.others if (folder / name).is_file()]


def _below(
    folder: str, path: str, above: tuple[tuple[int, int], ...], ignored: Ignored
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield name and status of every image: a folder's own files before those of its sub-folders.

    A link to a folder above itself is skipped: following it would never end.
    """
    about = os.stat(folder)
    if (here := (about.st_dev, about.st_ino)) in above:
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda e: e.name)
    folders = []
    for entry in entries:
        if entry.name.startswith("."):
            ignored.hidden()
        elif entry.is_dir():
            folders.append(entry.name)
        elif _is_image(entry.name) and entry.is_file():  # not a dangling link, nor a pipe that would block forever
            yield path + entry.name, entry.stat()
        else:
            ignored.other(path + entry.name)
    for name in folders:
        yield from _below(f"{folder}/{name}", f"{path}{name}/", (*above, here), ignored)


def _is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def label_of(name: str, classes: dict[str, int]) -> int:
    """Return the class of a path, -1 if there are no classes."""
    return classes[name.partition("/")[0]] if classes else -1
