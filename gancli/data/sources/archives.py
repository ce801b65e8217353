"""Images in archives, read in place: no image is unpacked to disk."""

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, Any, Self, cast

from PIL.Image import Image

from gancli.data.sources.decode import Item
from gancli.data.sources.folders import SUFFIXES, label_of
from gancli.data.sources.listing import MOST_LISTED, MOST_MEMBERS, Ignored, Listed, Modest, layout, too_many
from gancli.errors import UserError
from gancli.images.reading import UNREADABLE, open_bytes
from gancli.system import cache
from gancli.system.untrusted.door import check_regular, reason

LARGEST = 256 * 2**20  # bytes of one image in an archive; a larger claim is a bomb or not an image
LEAST = 2**30  # bytes that an archive may unpack to, whatever its size
MOST_HEADER = 2**20  # bytes of a name in a tar
RATIO = 200  # of unpacked to packed bytes: no image compresses so well
COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}  # by their first bytes
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive, by its name."""
    return path.name.lower().endswith(ARCHIVES)


def in_archive(path: Path) -> Listed:
    """List the images of a zip or tar, as `folders.in_folder` does."""
    check_regular(path)
    try:
        read = _zip_members(path) if path.suffix.lower() == ".zip" else _tar_members(path)
    except (*DAMAGED, *UNREADABLE) as error:
        raise UserError(f"{path} is not a readable archive: {reason(error)}") from None
    ignored = Ignored()
    members = sorted(_pictures(((name.lstrip("/"), opener) for name, opener in read), ignored))
    if not members:
        raise UserError(f"no images in {path}: it must hold .png, .jpg, .webp or similar files, flat or in folders")
    prefix = os.path.commonpath([str(PurePosixPath(name).parent) for name, _ in members])
    names = [str(PurePosixPath(name).relative_to(prefix or ".")) for name, _ in members]
    classes, notes = layout(names)
    labels = {name: i for i, name in enumerate(classes)}
    items = [Item(name, label_of(name, labels), opener) for name, (_, opener) in zip(names, members)]
    about = path.stat()
    key = [str(path.resolve()), about.st_size, about.st_mtime_ns]
    return Listed(items, classes, key, (*notes, *ignored.notes()))


def _pictures(members: Iterable[tuple[str, "_Member"]], ignored: Ignored) -> Iterator[tuple[str, "_Member"]]:
    """Yield the members that are images by their names, except for what macOS stores beside every file."""
    for name, opener in members:
        path = PurePosixPath(name)
        image = path.suffix.lower() in SUFFIXES
        if "__MACOSX" in path.parts or path.name.startswith("._" if image else "."):
            ignored.hidden()
        elif image:
            yield name, opener
        else:
            ignored.other(str(path))


def _zip_members(path: Path) -> list[tuple[str, "_Member"]]:
    file = Modest(path, MOST_LISTED)
    archive = zipfile.ZipFile(file)
    file.most = None
    if len(archive.filelist) > MOST_MEMBERS:
        raise too_many()
    lock = Lock()

    def read(member: zipfile.ZipInfo) -> bytes:
        with lock, archive.open(member) as opened:
            return opened.read(LARGEST)

    members = (member for member in archive.infolist() if not member.is_dir())
    return [(m.filename, _Member(partial(read, m), m.file_size, m.compress_size)) for m in members]


def _tar_members(path: Path) -> list[tuple[str, "_Member"]]:
    with path.open("rb") as file:
        head = file.read(6)
    packed = next((opener for magic, opener in COMPRESSED.items() if head.startswith(magic)), None)
    tar = _Tar(path, packed)
    # links and devices are left out
    return [(m.name, _Member(partial(tar.read, m), m.size, m.size)) for m in tar.members() if m.isfile()]


class _Tar:
    """A tar, compressed or not.

    A compressed tar is read once to list it, and once more into an unnamed temporary file that allows random access:
    seeking back in a compressed stream means starting over.
    """

    def __init__(self, path: Path, packed: Callable[..., IO[bytes]] | None) -> None:
        self._path, self._packed = path, packed
        self._most = max(LEAST, RATIO * path.stat().st_size)
        self._lock = Lock()

    def members(self) -> Iterator[tarfile.TarInfo]:
        """List the members; raise UserError for too many, or if the tar unpacks to implausibly many bytes."""
        with _Bounded(self._stream(), self._most, MOST_HEADER) as stream:
            archive = tarfile.open(fileobj=stream.as_file(), mode="r:")  # noqa: SIM115 the stream is what is open
            for _ in range(MOST_MEMBERS + 1):
                if (member := archive.next()) is None:
                    return
                vars(archive)["members"].clear()  # it would keep them all
                yield member
        raise too_many()

    def read(self, member: tarfile.TarInfo) -> bytes:
        """Read a whole member, one thread at a time."""
        with self._lock:
            opened = self._seekable.extractfile(member)
            return opened.read(LARGEST) if opened else b""

    @cached_property
    def _seekable(self) -> tarfile.TarFile:
        file = self._unpacked() if self._packed else self._stream()
        weakref.finalize(self, file.close)
        return tarfile.open(fileobj=file, mode="r:")

    def _stream(self) -> IO[bytes]:
        return (self._packed or open)(self._path, "rb")

    def _unpacked(self) -> IO[bytes]:
        """Unpack the tar up to its end or the first damage."""
        root = cache.root()
        with cache.full_is_said(root), _Bounded(self._stream(), self._most) as stream:
            file = tempfile.TemporaryFile(dir=root)  # noqa: SIM115 members are read from it later
            while block := stream.next_or_end():
                file.write(block)
            file.seek(0)
        return file


class _Bounded:
    """An unpacked stream of at most `most` bytes, read at most `at_once` bytes at a time."""

    def __init__(self, file: IO[bytes], most: int, at_once: int = 2**20) -> None:
        self.file, self.most, self.at_once = file, most, at_once

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def as_file(self) -> IO[bytes]:
        """Return it as a file; it has the methods that are needed here."""
        return cast(IO[bytes], self)

    def read(self, count: int = -1) -> bytes:
        if count > self.at_once:
            raise OSError(f"the name of a member has {count:,} bytes")
        self._check(self.file.tell() + max(count, 0))
        return self.file.read(count)

    def next_or_end(self) -> bytes:
        """Read the next block; treat damage as the end, so that everything before it is used."""
        try:
            self._check(self.file.tell())
            return cast(Any, self.file).read1(2**20)
        except (*DAMAGED, *UNREADABLE):
            return b""

    def seek(self, place: int, whence: int = 0) -> int:
        self._check(place)
        return self.file.seek(place, whence)

    def tell(self) -> int:
        return self.file.tell()

    def _check(self, place: int) -> None:
        if place > self.most:
            raise OSError(f"it unpacks to more than {self.most:,} bytes")


class _Member:
    """Open one image of an archive."""

    def __init__(self, read: Callable[[], bytes], size: int, packed: int) -> None:
        self.read, self.size, self.packed = read, size, packed

    def __lt__(self, other: object) -> bool:
        return False  # members of one name keep their order

    def __call__(self) -> Image:
        if self.size > LARGEST or self.size > max(2**26, RATIO * self.packed):
            raise ValueError(f"too large: {self.size:,} bytes")
        try:
            data = self.read()
        except (*DAMAGED, RuntimeError) as error:
            raise OSError(str(error)) from None  # encrypted, cut or of an unknown compression
        return open_bytes(data)
