"""Pictures in folders and archives. Archives are read in place: nothing is ever unpacked to disk."""

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, Any, cast, overload

from PIL.Image import Image

from gancli.data.pictures import UNREADABLE, Item, open_bytes, open_picture
from gancli.errors import UserError

COMMON = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff")
RARE = (".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".avif", ".jp2")
SUFFIXES = frozenset(COMMON + RARE)
LARGEST = 256 * 2**20  # bytes of one picture in an archive; a larger claim is a bomb or no picture
LEAST = 2**30  # bytes that an archive may unpack to, whatever its size
RATIO = 200  # of unpacked to packed bytes: no picture packs so well
COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}  # by how their files begin
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def is_archive(path: Path) -> bool:
    """Tell an archive by its name."""
    return path.name.lower().endswith(ARCHIVES)


class Files(Sequence[Item]):
    """The pictures of a folder; an item is made when it is asked for, so that a million cost little."""

    def __init__(self, folder: Path, names: list[str], classes: list[str]) -> None:
        self._folder, self._names, self._labels = folder, names, {name: i for i, name in enumerate(classes)}

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> "list[Item]": ...

    def __getitem__(self, index: int | slice) -> "Item | list[Item]":
        if isinstance(index, slice):
            return [self._item(name) for name in self._names[index]]
        return self._item(self._names[index])

    def _item(self, name: str) -> Item:
        return Item(name, _label(name, self._labels), lambda: open_picture(self._folder / name))


def in_folder(folder: Path) -> tuple[Sequence[Item], list[str], list[object]]:
    """List the pictures below a folder, sorted by name; their classes; and a key that changes when any file does.

    Folders of pictures are classes when there are at least two of them and no pictures beside them.
    """
    names: list[str] = []
    digest = sha256()
    for name, size, changed in _below(str(folder), ""):
        names.append(name)
        digest.update(f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape"))
    if not names:
        raise UserError(f"no images in {folder}: it should hold .png, .jpg, .webp or the like, flat or nested")
    classes = _classes(names)
    return Files(folder, names, classes), classes, [str(folder.resolve()), digest.hexdigest()]


def _below(folder: str, path: str) -> Iterator[tuple[str, int, int]]:
    """Give name, size and time of change of every picture: those of a folder before those of the folders in it."""
    with os.scandir(folder) as found:
        entries = sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    folders = []
    for entry in entries:
        if entry.name[entry.name.rfind(".") :].lower() in SUFFIXES and not entry.is_dir():
            if entry.is_file():  # not a link to nowhere, nor a pipe that would wait for ever
                about = entry.stat()
                yield path + entry.name, about.st_size, about.st_mtime_ns
        elif entry.is_dir():
            folders.append(entry.name)
    for name in folders:
        yield from _below(f"{folder}/{name}", f"{path}{name}/")


def in_archive(path: Path) -> tuple[list[Item], list[str], list[object]]:
    """The same for a zip or tar."""
    try:
        read = _zip_members(path) if path.suffix.lower() == ".zip" else _tar_members(path)
    except (*DAMAGED, *UNREADABLE) as error:
        raise UserError(f"{path} is not a readable archive: {error}") from None
    pictures = ((name.lstrip("/"), opener) for name, opener in read)
    members = sorted(member for member in pictures if PurePosixPath(member[0]).suffix.lower() in SUFFIXES)
    if not members:
        raise UserError(f"no images in {path}: it should hold .png, .jpg, .webp or the like, flat or nested")
    prefix = os.path.commonpath([str(PurePosixPath(name).parent) for name, _ in members])
    names = [str(PurePosixPath(name).relative_to(prefix or ".")) for name, _ in members]
    classes = _classes(names)
    labels = {name: i for i, name in enumerate(classes)}
    items = [Item(name, _label(name, labels), opener) for name, (_, opener) in zip(names, members)]
    about = path.stat()
    return items, classes, [str(path.resolve()), about.st_size, about.st_mtime_ns]


def _classes(names: list[str]) -> list[str]:
    tops = {top if below else "" for top, below, _ in (name.partition("/") for name in names)}
    return sorted(tops) if len(tops) > 1 and "" not in tops else []


def _label(name: str, classes: dict[str, int]) -> int:
    return classes[name.partition("/")[0]] if classes else -1


def _zip_members(path: Path) -> list[tuple[str, "_Member"]]:
    archive = zipfile.ZipFile(path)
    lock = Lock()
    return [(i.filename, _Member(archive, i, i.file_size, lock)) for i in archive.infolist() if not i.is_dir()]


def _tar_members(path: Path) -> list[tuple[str, "_Member"]]:
    archive = tarfile.open(fileobj=_unpacked(path), mode="r:")  # noqa: SIM115 members are read from it later
    lock = Lock()
    # links and devices are left out
    return [(m.name, _Member(archive, m, m.size, lock)) for m in archive if m.isfile()]


def _unpacked(path: Path) -> IO[bytes]:
    """Open a tar, compressed or not; one that unpacks to more than it can honestly hold raises OSError on the way."""
    with path.open("rb") as file:
        head = file.read(6)
    openers = (opener for magic, opener in COMPRESSED.items() if head.startswith(magic))
    most = max(LEAST, RATIO * path.stat().st_size)
    return cast(IO[bytes], _Bounded(next(openers, open)(path, "rb"), most))


class _Bounded:
    """An unpacked stream that must end before `most` bytes."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file, self.most = file, most

    def read(self, count: int = -1) -> bytes:
        self._check(self.file.tell() + max(count, 0))
        return self.file.read(count)

    def seek(self, place: int, whence: int = 0) -> int:
        self._check(place)
        return self.file.seek(place, whence)

    def tell(self) -> int:
        return self.file.tell()

    def __del__(self) -> None:
        self.file.close()

    def _check(self, place: int) -> None:
        if place > self.most:
            raise OSError(f"it unpacks to more than {self.most:,} bytes")


class _Member:
    """Opens one picture of an archive; archives are read by one thread at a time."""

    def __init__(
        self,
        archive: zipfile.ZipFile | tarfile.TarFile,
        member: zipfile.ZipInfo | tarfile.TarInfo,
        size: int,
        lock: Lock,
    ) -> None:
        self.archive, self.member, self.size, self.lock = archive, member, size, lock

    def __lt__(self, other: object) -> bool:
        return False  # members of one name keep their order

    def __call__(self) -> Image:
        packed = self.member.compress_size if isinstance(self.member, zipfile.ZipInfo) else self.size
        if self.size > LARGEST or self.size > max(2**26, RATIO * packed):
            raise ValueError(f"{self.size:,} bytes")
        with self.lock:
            return open_bytes(self._read())

    def _read(self) -> bytes:
        try:
            if isinstance(self.archive, zipfile.ZipFile):
                assert isinstance(self.member, zipfile.ZipInfo)
                with self.archive.open(self.member) as file:
                    return file.read(LARGEST)
            assert isinstance(self.member, tarfile.TarInfo)
            file = self.archive.extractfile(self.member)
            return file.read(LARGEST) if file else b""
        except (*DAMAGED, RuntimeError) as error:
            raise OSError(str(error)) from None  # encrypted, cut or of an unknown compression
