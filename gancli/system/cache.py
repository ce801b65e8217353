"""The user's cache: decoded data and downloads. Everything in it can be rebuilt.

It consists of entries: folders that appear atomically, record the hashes of their files, and are rebuilt when these do
not match. If another program truncates a file while it is mapped, the process still dies (SIGBUS cannot be caught).
"""

import atexit
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gancli.errors import UserError
from gancli.system import atomic, cache_room
from gancli.system.untrusted.door import check_folder, check_regular, read_json, reading, reason
from gancli.system.untrusted.terminal import warn

R = TypeVar("R")

ABOUT = cache_room.ABOUT
FORMAT = 2  # part of every key; raise it when the stored content changes


# ------------------------------------------------------------------------------------------------- places


@lru_cache(maxsize=1)
def root() -> Path:
    """Return the folder to write to: GANCLI_CACHE, or the user's cache; a temporary one if it is not writable."""
    base = _base()
    try:
        base.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=base).close()
        cache_room.mark(base)
    except OSError:
        return _spare()
    return base


def places(*parts: str) -> list[Path]:
    """Return the paths where an entry may be, including a read-only cache of another user."""
    roots = [*([_spare()] if _spare.cache_info().currsize else []), root(), _base()]
    return [folder.joinpath(*parts) for folder in dict.fromkeys(roots)]


def folder(*parts: str) -> Path:
    """Create a folder to write to; if it belongs to another user, a temporary one that is removed on exit."""
    for base in (root, _spare):
        with suppress(OSError):
            path = base()
            for part in parts:
                path /= part
                cache_room.make_folder(path)
            tempfile.TemporaryFile(dir=path).close()
            return path
    raise nowhere()


def nowhere() -> UserError:
    """Return the error for a machine without a writable folder."""
    return UserError(
        f"cannot write to {root()} or to a temporary folder: set GANCLI_CACHE to a folder you can write to"
    )


def _base() -> Path:
    given = os.environ.get("GANCLI_CACHE")
    try:
        return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gancli"
    except RuntimeError:  # no home directory
        return _spare()


@lru_cache(maxsize=1)
def _spare() -> Path:
    """Make a temporary folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="gancli-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cache_room.mark(folder)
    return folder


# ------------------------------------------------------------------------------------------------ entries


@dataclass(frozen=True)
class File:
    """The size and hash that a file of an entry must have."""

    size: int
    sha256: str


@dataclass(frozen=True)
class _Seal:
    """The content of about.json."""

    about: dict[str, Any]
    files: dict[str, File]
    sha256: str  # of the two fields above

    @classmethod
    def of(cls, about: dict[str, Any], files: dict[str, File]) -> "_Seal":
        said = json.dumps([about, {name: asdict(file) for name, file in files.items()}], sort_keys=True)
        return cls(about, files, hashlib.sha256(said.encode()).hexdigest())


@dataclass(frozen=True)
class Kept:
    """An existing entry. Its methods raise ValueError for files that have changed."""

    path: Path
    about: dict[str, Any]
    files: dict[str, File]

    def load(self, name: str) -> bytes:
        """Read a whole file and check its hash."""
        with self._opened(name) as file:
            data = file.read(self.files[name].size + 1)
        if hashlib.sha256(data).hexdigest() != self.files[name].sha256:
            raise ValueError(f"{name} has changed")
        return data

    def map(self, name: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        """Map a file into memory, checking only its size; the entry is in use while the array lives."""
        if int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize != self.files[name].size:
            raise ValueError(f"{name} is not an array {np.dtype(dtype)}{list(shape)}")
        with self._opened(name) as file:
            cache_room.use(file.fileno())  # the mapping keeps the file open, and so the lock
            return np.memmap(file, dtype, "c", shape=shape)  # never written to; torch requires "c"

    def check(self) -> None:
        """Read every file and check its hash."""
        for name, file in self.files.items():
            with self._opened(name) as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:
                    raise ValueError(f"{name} has changed")

    @contextmanager
    def _opened(self, name: str) -> Iterator[Any]:
        if name not in self.files:
            raise ValueError(f"{name} is missing")
        check_regular(self.path / name, follow=False)
        with (self.path / name).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != self.files[name].size:
                raise ValueError(f"{name} has {size:,} bytes, not {self.files[name].size:,}")
            yield file


def _kept(path: Path) -> Kept:
    check_folder(path)  # refuse links: they lead to files of others
    check_regular(path / ABOUT, follow=False)
    seal = read_json(path / ABOUT, _Seal)
    if _Seal.of(seal.about, seal.files) != seal:
        raise ValueError(f"{ABOUT} has changed")
    with suppress(OSError):
        os.utime(path / ABOUT)  # records when it was last used; fails if another user owns it
    return Kept(path, seal.about, seal.files)


@dataclass(frozen=True)
class Draft:
    """An entry that is being written."""

    path: Path

    def seal(self, about: dict[str, Any]) -> None:
        """Describe the entry and record its hashes, once all of its files are written."""
        seal = _Seal.of(about, {path.name: _flushed(path) for path in sorted(self.path.iterdir())})
        atomic.write_json(self.path / ABOUT, asdict(seal))


def _flushed(path: Path) -> File:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return File(os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


@dataclass(frozen=True)
class Entry:
    """A folder of the cache that is either complete or absent."""

    kind: str
    name: str

    def read(self, use: Callable[[Kept], R]) -> R | None:
        """Apply `use` to the entry; return None if there is none, or, with a warning, if it is damaged."""
        for path in places(self.kind, self.name):
            if not os.path.lexists(path):
                continue
            try:
                with reading(f"{path} in the cache"):
                    return use(_kept(path))
            except UserError as error:
                warn(f"{error}; rebuilding it")
                cache_room.remove(path)
        return None

    @contextmanager
    def write(self, size: int = 0) -> Iterator[Draft]:
        """Yield a folder to fill with `size` bytes and to seal; it becomes the entry when the block succeeds.

        Raise UserError if there is no room for it.
        """
        with self._drafted() as path, full_is_said(path.parent.parent):
            cache_room.make_room(path.parent.parent, size)
            yield Draft(path)
            with suppress(OSError):  # another process has just written the same entry
                path.rename(path.with_name(self.name))

    @contextmanager
    def _drafted(self) -> Iterator[Path]:
        """Create a temporary folder beside the entry's and lock it: an unlocked one counts as an orphan."""
        path, lock = self._new()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)

    def _new(self) -> tuple[Path, int]:
        name = f"{cache_room.NEW}{secrets.token_hex(8)}"
        for base in (root, _spare):
            kind = base() / self.kind
            if os.path.lexists(kind / self.name):  # another user's folder, which cannot be used
                continue
            with suppress(OSError):  # another user's folder
                cache_room.make_folder(kind)
                (kind / name).mkdir()
                return kind / name, cache_room.claim(kind / name)
        raise nowhere()


def entry(kind: str, *key: object) -> Entry:
    """Return the entry of a kind for a key (of values whose repr is stable)."""
    return Entry(kind, hashlib.sha256(repr((FORMAT, *key)).encode(errors="backslashreplace")).hexdigest()[:32])


def check() -> Iterator[str]:
    """Read the whole cache, and yield one line for each damaged entry."""
    for folder in places():
        for path in cache_room.named(folder):
            try:
                with reading(str(path)):
                    _kept(path).check()
            except UserError as error:
                yield f"{error}; delete that folder and it will be rebuilt"


# --------------------------------------------------------------------------------------------------- room


class Full(UserError):
    """The cache, or its disk, is full."""


def raise_if_full(error: BaseException) -> None:
    """Raise an error again if the cache is full; other errors concern single images."""
    if isinstance(error, Full):
        raise error


@contextmanager
def full_is_said(folder: Path) -> Iterator[None]:
    """Turn errors of a full disk or quota into a UserError that says where, and what to do."""
    try:
        yield
    except Exception as error:
        if not cache_room.is_full(error):
            raise
        most = cache_room.said(cache_room.bound(folder)[0])
        raise Full(
            f"no room in the cache {folder} ({reason(error)}); its limit is {most} (GANCLI_CACHE_SIZE): "
            "free some space, or set GANCLI_CACHE to a folder on another disk"
        ) from None
