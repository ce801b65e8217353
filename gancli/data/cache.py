"""The user's cache: decoded data and what was downloaded. Everything in it can be made again."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

ABOUT = "about.json"
FORMAT = 2  # part of every key: a change of what is stored makes new entries


@lru_cache(maxsize=1)
def root() -> Path:
    """Find the cache folder: GANCLI_CACHE, or the user's; a temporary one where neither can be written."""
    given = os.environ.get("GANCLI_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gancli"
    try:
        base.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=base).close()
    except (OSError, RuntimeError):  # RuntimeError: no home at all
        base = Path(tempfile.mkdtemp(prefix="gancli-"))
        atexit.register(shutil.rmtree, base, ignore_errors=True)
    return base


@dataclass(frozen=True)
class Entry:
    """A folder of the cache, whole or absent."""

    path: Path

    def read(self) -> dict[str, Any] | None:
        """Return what is said of the entry, or None when there is none."""
        try:
            return json.loads((self.path / ABOUT).read_text())
        except (OSError, ValueError):
            return None

    @contextmanager
    def write(self) -> Iterator[Path]:
        """Give a folder to fill (with an about.json); it becomes the entry when the block ends well."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=".new-"))
        try:
            yield folder
            if self.read() is None:
                shutil.rmtree(self.path, ignore_errors=True)
                with suppress(OSError):  # another process was quicker, with the same
                    folder.rename(self.path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def entry(kind: str, *key: object) -> Entry:
    """Name the entry of a kind that belongs to a key (of values whose repr is stable)."""
    return Entry(root() / kind / sha256(repr((FORMAT, *key)).encode()).hexdigest()[:32])
