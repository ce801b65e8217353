"""Files from the network: resumed where they were cut, checked, whole or not there."""

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from gancli.errors import UserError

TRIES = 4  # connections in a row that bring nothing new
TIMEOUT = 30  # seconds without a byte
BLOCK = 2**16
LARGEST = 4 * 2**30  # bytes

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: unknown)


def fetch(url: str, path: Path, sha256_wanted: str | None = None, progress: Progress | None = None) -> Path:
    """Bring a file to `path`. What was cut short stays as PATH.part, and the next call goes on from there.

    Raises UserError when it cannot be fetched, which names the URL and the place to put the file, and when its
    content is not what was wanted, which is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    idle = 0
    while idle < TRIES:
        before = _size(part)
        try:
            if _go_on(url, part, progress):
                return _keep(part, path, sha256_wanted, url)
        except urllib.error.HTTPError as error:
            if error.code != 416:  # the part is not the beginning of what is there now
                raise _failed(url, path, f"HTTP {error.code} {error.reason}") from None
            part.unlink(missing_ok=True)
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            if isinstance(error, urllib.error.URLError) and not _size(part):
                raise _failed(url, path, reason) from None
        idle = 0 if _size(part) > before else idle + 1
    raise _failed(url, path, f"the connection was cut {TRIES} times at {_size(part):,} bytes")


def _failed(url: str, path: Path, reason: str) -> UserError:
    return UserError(f"{url} cannot be fetched ({' '.join(reason.split())[:100]}): put the file at {path}")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _go_on(url: str, part: Path, progress: Progress | None) -> bool:
    """Fetch what is missing of a part; true when it is whole."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{url} is no http address: GANCLI_MIRROR must be one")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if have and response.status != 206:  # the server sends all of it again
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        if total > LARGEST:
            raise UserError(f"{url} has {total:,} bytes: more than {LARGEST:,} are not fetched")
        with part.open("ab" if have else "wb") as file:
            _copy(response, file, have, total, progress)
        return not response.headers.get("Content-Length") or _size(part) >= total


def _copy(response: Any, file: Any, have: int, total: int, progress: Progress | None) -> None:
    while block := response.read(BLOCK):
        have += len(block)
        if have > LARGEST:
            raise UserError(f"the file has more than {LARGEST:,} bytes")
        file.write(block)
        if progress:
            progress(have, total)


def _keep(part: Path, path: Path, wanted: str | None, url: str) -> Path:
    if wanted is not None:
        with part.open("rb") as file:
            digest = sha256()
            while block := file.read(2**20):
                digest.update(block)
        if digest.hexdigest() != wanted:
            part.unlink()
            raise UserError(f"{url} does not hold what it should: sha256 {digest.hexdigest()}, not {wanted}; removed")
    os.replace(part, path)
    return path
