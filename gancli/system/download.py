"""Download files: interrupted downloads resume, contents are checked, and files appear complete or not at all."""

import http.client
import os
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from gancli.errors import UserError
from gancli.system import atomic, web
from gancli.system.digests import sha256_of
from gancli.system.untrusted.door import printable, read_json, reason
from gancli.system.untrusted.terminal import shows_progress, warn

TRIES = 4  # connections in a row that bring no new bytes
PAUSE = 0.5  # seconds before the next try, doubled each time
MIRROR = "GANCLI_MIRROR"

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: unknown)


class Unfetched(UserError):
    """A file could not be downloaded."""

    def __init__(self, url: str, path: Path, why: str) -> None:
        self.why = f"{printable(url)} cannot be fetched ({printable(why, 120)})"
        super().__init__(f"{self.why}: put it at {path}")

    def or_else(self, what: str) -> Self:
        """Return the error with another way out."""
        self.args = (f"{self}, or {what}",)
        return self


def mirrored(url: str) -> str:
    """Return the URL to fetch from: the same path on the server that GANCLI_MIRROR names, if it is set."""
    mirror = os.environ.get(MIRROR)
    return f"{mirror.rstrip('/')}{urlsplit(url).path}" if mirror else url


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a download folder for the block, after waiting for any other process."""
    folder.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        with atomic.locked(folder) as mine:
            if mine:
                yield
                return
        if not told:
            warn(f"another process is downloading into {folder}: waiting for it")
            told = True
        time.sleep(PAUSE)


def fetch(url: str, path: Path, sha256: str | None = None, progress: Progress | None = None) -> Path:
    """Download a file to `path`; an interrupted download stays as PATH.part, and the next call resumes it.

    It is resumed only if an ETag or a date shows that the file is the same, or if `sha256` (all digits or the first
    ones) will verify it. Raise UserError if the file cannot be fetched, with the URL and the place to put it, or if
    its content is wrong, after removing it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(path.with_name(path.name + ".part"), url, trusted=sha256 is not None)
    try:
        with web.Deadline() as deadline:
            _bring(part, deadline, progress)
        return _keep(part, path, sha256)
    except web.Refused as error:
        raise Unfetched(url, path, str(error)) from None
    except OSError as error:
        raise Unfetched(url, path, reason(error)) from None


def show(done: int, of: int) -> None:
    """Show the progress on a terminal."""
    if shows_progress():
        share = f"{done / of:.0%}" if of else f"{done >> 20} MiB"
        print(f"\r{share}", end="\n" if done == of else "", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class _About:
    """The description of a partial download, in a file beside it."""

    url: str
    validator: str


@dataclass(frozen=True)
class _Part:
    """A partial download."""

    path: Path
    url: str
    trusted: bool  # a hash will verify the file

    @property
    def about(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str:
        """Return the recorded ETag or date of the content, or ""."""
        try:
            about = read_json(self.about, _About)
        except UserError:
            return ""
        return about.validator if about.url == self.url else ""

    def start(self, validator: str) -> None:
        atomic.write_json(self.about, asdict(_About(self.url, validator)))

    def remove(self) -> None:
        for path in (self.path, self.about):
            path.unlink(missing_ok=True)


def _bring(part: _Part, deadline: web.Deadline, progress: Progress | None) -> None:
    """Download a file, reconnecting as long as that brings new bytes."""
    idle, why = 0, "the connection was cut"
    while idle < TRIES:
        before = part.size
        try:
            whole = _go_on(part, deadline, progress)
            if whole and not deadline.cut:  # truncated headers do not tell how much is missing
                return
        except web.Stale:
            part.remove()
        except (OSError, http.client.HTTPException) as error:
            if not isinstance(error, web.BROKEN) and not deadline.cut:
                raise  # an error of the local disk
            why = _reason(error)
            if not deadline.cut and not part.size:
                raise web.Refused(why) from None
        if deadline.cut:
            raise web.Refused(f"slower than {web.SLOWEST:,} bytes/s")
        idle = 0 if part.size > before else idle + 1
        time.sleep(PAUSE * 2**idle / 2 if idle else 0)
    raise web.Refused(f"{why}; {TRIES} attempts stopped at {part.size:,} bytes")


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return inner if isinstance(inner, str) else reason(inner)


def _go_on(part: _Part, deadline: web.Deadline, progress: Progress | None) -> bool:
    """Download the missing rest of a part; return whether it is complete."""
    validator = part.validator()
    have = part.size if validator or part.trusted else 0
    with web.get(part.url, deadline, have, validator) as answer:
        if not answer.start:
            part.start(answer.validator)
        done = answer.start
        with part.path.open("r+b" if done else "wb") as file:
            file.seek(done)
            for block in answer.blocks():
                file.write(block)
                done += len(block)
                if progress:
                    progress(done, answer.total or 0)
        return answer.total is None or done == answer.total


def _keep(part: _Part, path: Path, wanted: str | None) -> Path:
    if wanted is not None and not (found := sha256_of(part.path)).startswith(wanted):
        part.remove()
        raise UserError(f"{part.url} has unexpected content: sha256 {found}, not {wanted}; removed")
    os.replace(part.path, path)
    part.remove()
    return path
