"""Limit the size of the cache: remove leftovers of killed processes, then the least recently used entries.

A folder is removed only if its name is one that only gancli uses and the cache carries gancli's mark.
"""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gancli.errors import UserError

try:
    import fcntl
except ImportError:  # Windows has no such locks; without them nothing is removed
    fcntl = None

ABOUT = "about.json"
NEW, OLD = ".gancli-new-", ".gancli-old-"  # prefixes of folders being created and removed
TAG = "CACHEDIR.TAG"  # https://bford.info/cachedir/: backups skip such folders
SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n# This is gancli's cache. All of it can be made again.\n"
KINDS = ("images", "features", "content", "local", "ratings", "weights", "published", "torchvision", "matplotlib")
OURS = frozenset((*KINDS, "trusted", "precision"))  # the folders in caches of older versions, which have no mark
SHARE = 5  # by default the cache may use one fifth of its disk
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


# ------------------------------------------------------------------------------------------------- entries


def mark(root: Path) -> None:
    """Mark a folder as gancli's cache, unless it holds anything else."""
    if not (root / TAG).exists() and all(name in OURS for name in os.listdir(root)):
        (root / TAG).write_text(SIGNATURE)


def is_marked(root: Path) -> bool:
    """Return whether a folder is gancli's cache, in which it may remove entries."""
    return (root / TAG).is_file()


def make_folder(kind: Path) -> None:
    """Create the folder for a kind of entries, with the permissions of a shared cache."""
    try:
        kind.mkdir()
    except FileExistsError:
        return
    mode = kind.parent.stat().st_mode
    if mode & 0o022:
        kind.chmod(mode & 0o3777)  # including the sticky bit, so that users cannot remove each other's entries


def entries(root: Path) -> Iterator[Path]:
    """Yield all entries of a cache."""
    return (path for path in named(root) if (path / ABOUT).exists())


def named(root: Path) -> Iterator[Path]:
    """Yield all folders with the name of an entry."""
    return (path for path in _below(root) if re.fullmatch("[0-9a-f]{32}", path.name))


def _below(root: Path) -> Iterator[Path]:
    for kind in _folders(root):
        yield from _folders(kind)


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as found:
            return [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def remove(path: Path) -> None:
    """Remove an entry atomically; entries of other users stay."""
    away = path.with_name(f"{OLD}{secrets.token_hex(8)}")
    with suppress(OSError):
        path.rename(away)
        folder = stat.S_ISDIR(away.lstat().st_mode)  # rmtree would block on a pipe
        shutil.rmtree(away) if folder else away.unlink()


# -------------------------------------------------------------------------------------------------- locks


def use(file: int) -> None:
    """Mark an open file as in use until it is closed."""
    if fcntl is not None:
        with suppress(OSError):  # it is being removed, which does no harm, or there are no locks here
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def claim(folder: Path) -> int:
    """Lock a new folder; raise OSError if another process removed it as an orphan."""
    handle = os.open(folder if fcntl else os.devnull, os.O_RDONLY)
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        folder.stat()
    except OSError:
        os.close(handle)
        raise
    return handle


def _remove_unused(path: Path) -> bool:
    """Remove a folder unless a living process has locked it or a file in it."""
    handles: list[int] = []
    try:
        for each in (path, *path.iterdir()):
            handles.append(os.open(each, os.O_RDONLY | os.O_NOFOLLOW))
            assert fcntl is not None
            fcntl.flock(handles[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    except OSError:
        return False
    finally:
        for handle in handles:
            os.close(handle)
    return not path.exists()


# --------------------------------------------------------------------------------------------------- room


def make_room(root: Path, size: int) -> None:
    """Remove orphans and the least recently used entries until `size` more bytes fit on the disk and in the limit.

    Raise UserError if `size` is larger than the limit that the user set.
    """
    most, given = bound(root)
    if given and size > most:
        raise UserError(f"{said(size)} do not fit in the cache {root}: GANCLI_CACHE_SIZE is {said(most)}")
    if fcntl is None or not is_marked(root):
        return
    for path in _below(root):
        if path.name.startswith((NEW, OLD)):
            _remove_unused(path)
    drafts = sum(_size(path) for path in _below(root) if path.name.startswith(NEW))
    found = sorted((_used(path), _size(path), path) for path in entries(root))
    over = drafts + sum(each for _, each, _ in found) + size - most
    over = max(over, size - shutil.disk_usage(root).free)
    for _, each, path in found:
        if over <= 0:
            break
        over -= each if _remove_unused(path) else 0


def bound(root: Path) -> tuple[int, bool]:
    """Return how many bytes the entries may take, and whether the user set that limit."""
    given = os.environ.get("GANCLI_CACHE_SIZE")
    if not given:
        return shutil.disk_usage(root).total // SHARE, False
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)\s*([kmgt]?)b?", given.strip().lower())
    if not match:
        raise UserError(f"GANCLI_CACHE_SIZE={given} is not a size: give one such as 20GB")
    return int(float(match[1]) * UNITS[match[2]]), True


def said(size: int) -> str:
    """Format a number of bytes with a unit."""
    unit = max((u for u in UNITS.items() if u[1] <= max(size, 1)), key=lambda u: u[1])
    return f"{size / unit[1]:.3g} {unit[0].upper()}B"


def _used(path: Path) -> float:
    try:
        return (path / ABOUT).stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return sum(file.stat(follow_symlinks=False).st_size for file in path.iterdir())
    except OSError:
        return 0


def is_full(error: BaseException) -> bool:
    """Return whether an error means a full disk or quota; some libraries tell only in the message."""
    return getattr(error, "errno", None) in FULL or any(f"(os error {number})" in str(error) for number in FULL)


def allocate(path: Path, size: int) -> None:
    """Allocate a file of zeros on the disk; raise OSError if there is no room."""
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
            return
        except AttributeError:  # macOS and Windows lack this call
            pass
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):  # some file systems do not support it
                raise
        for start in range(0, size, 2**20):
            file.write(bytes(min(2**20, size - start)))
