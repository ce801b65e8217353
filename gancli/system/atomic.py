"""Write files completely or not at all, and remove only files created here."""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.system.untrusted.door import check_regular, to_json

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

PREFIX = ".gancli-tmp-"  # of the folders for unfinished files; no other program uses it
LEFTOVER = re.compile(re.escape(PREFIX) + r"([0-9]{1,10})-[0-9a-f]{8}")  # the id of the process, and a random number
OPENED = Path("/proc/self/fd")  # where Linux shows the current path of an open folder


class Gone(OSError):
    """The folder that this process locked is no longer at its path: it was renamed, removed or replaced."""


@dataclass(frozen=True)
class _Held:
    """A folder that this process has locked: writes below its path go into this folder or fail."""

    path: Path
    handle: int

    def check(self) -> None:
        """Raise Gone if its path leads elsewhere or does not exist."""
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(os.stat(self.path), os.fstat(self.handle)):
                return
        raise Gone(errno.ENOENT, f"{self.path} was {self._fate()}")

    def _fate(self) -> str:
        try:
            now = os.readlink(OPENED / str(self.handle))
        except OSError:
            return "renamed or removed"
        return f"renamed to {now}" if Path(now).is_dir() else "removed"


_held: list[_Held] = []


def _holder(path: Path) -> _Held | None:
    return next((held for held in _held if path.is_relative_to(held.path)), None)


def check_held(path: Path) -> None:
    """Raise Gone if a path is below a folder that this process has locked and that is no longer there."""
    if held := _holder(path):
        held.check()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name; its file replaces `path`, synced to disk, if the block succeeds.

    It is in its own folder, because some libraries write further files beside it.
    """
    check_place(path)
    _make_parent(path)
    folder = path.parent / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        temporary = folder / path.name
        yield temporary
        _share(temporary, folder.stat().st_mode & 0o666)
        _sync(temporary, os.O_RDWR)
        os.replace(temporary, path)
        _sync(path.parent, os.O_RDONLY)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path`, synced to disk, if the block succeeds; `path` is new or empty."""
    _make_parent(path)
    outer = path.parent / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    temporary = outer / "folder"
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file, os.O_RDWR)
        if path.is_dir():
            path.rmdir()  # raises if it has been filled meanwhile
        os.rename(temporary, path)
        _sync(path.parent, os.O_RDONLY)
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def check_place(path: Path) -> None:
    """Raise UserError if a file cannot be written to a path because it is a folder, a pipe or a device."""
    if path.exists():
        check_regular(path)


def _share(path: Path, mode: int) -> None:
    """Set a file's mode according to the umask, which some libraries ignore."""
    if stat.S_IMODE(path.stat().st_mode) != mode:
        with suppress(PermissionError):  # a file system without modes
            path.chmod(mode)


def _make_parent(path: Path) -> None:
    """Create the folder that a file is written to; a locked one is never recreated."""
    held = _holder(path)
    if held is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    held.check()
    for folder in reversed(path.relative_to(held.path).parents[:-1]):
        (held.path / folder).mkdir(exist_ok=True)


def _sync(path: Path, flags: int) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with replacing(path) as temporary:
        # file names may hold bytes that are not UTF-8; JSON can escape them
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file, indented for reading."""
    write_text(path, to_json(value, indent=2) + "\n")


def append_text(path: Path, text: str) -> None:
    """Append to a text file, completely or not at all: a partial write to a full disk is undone."""
    _make_parent(path)
    with open(path, "ab", buffering=0, opener=_open_to_append) as file:
        end, data = file.tell(), text.encode(errors="backslashreplace")
        try:
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(end)
            raise


def _open_to_append(path: str, flags: int) -> int:
    """Open a file for appending without following links or blocking on a pipe, where `tell` then fails."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def copy_aside(path: Path) -> Path:
    """Copy a damaged file beside itself and return the path of the copy."""
    aside = _aside(path)
    with replacing(aside) as temporary:
        shutil.copyfile(path, temporary)
    return aside


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that nothing is lost, and return its new path."""
    return path.rename(_aside(path))


def _aside(path: Path) -> Path:
    names = (f"{path.name}.damaged{f'-{n}' if n > 1 else ''}" for n in range(1, 10**9))
    return next(aside for name in names if not os.path.lexists(aside := path.with_name(name)))


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed writers from a folder that gancli created."""
    for path in folder.glob(f"{PREFIX}*"):
        found = LEFTOVER.fullmatch(path.name)
        if found and stat.S_ISDIR(path.lstat().st_mode) and not _writes(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)


def _writes(process: int) -> bool:
    """Return whether another process with this id is alive: it may still be writing the apparent leftover."""
    if os.name == "nt" or process == os.getpid():
        return False  # on Windows, os.kill would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def make_folder(path: Path, *, exist_ok: bool) -> list[Path]:
    """Create a folder and return all folders that were created, the innermost first; raise OSError like `mkdir`."""
    missing = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    path.mkdir(parents=True, exist_ok=exist_ok)
    return missing


def remove_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, up to the first that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Lock a folder until the block or the process ends; yield False if another process has locked it.

    Meanwhile, a write below its path raises Gone if the folder was moved or replaced.
    Where folders cannot be locked (Windows, some network file systems), yield True.
    """
    if fcntl is None:
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        held = _Held(folder, handle)
        if mine := _lock(handle):
            _held.append(held)
        try:
            yield mine
        finally:
            if mine:
                _held.remove(held)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    assert fcntl is not None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
