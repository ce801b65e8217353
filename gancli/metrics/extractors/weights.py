"""Weights from files: fetched once, checked, and loaded without running what is in them."""

import hashlib
import os
import re
import sys
import time
import urllib.error
import urllib.request
from functools import lru_cache
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from gancli import torch_files
from gancli.data import cache
from gancli.errors import UserError

MIRROR = "GANCLI_MIRROR"
BLOCK = 2**18
SECONDS = 30  # without a byte until a connection is given up


def fetch(name: str, url: str, option: str) -> Path:
    """Give a file whose name ends in the first digits of its sha256, from the cache or else the network.

    Raises UserError, naming URL and place, when it can be had from neither. A broken download is gone on with.
    """
    place = cache.root() / "weights" / name
    for known in (
        place,
        Path(torch.hub.get_dir()) / "checkpoints" / name,
    ):  # the latter is where torch-fidelity puts it
        if known.is_file() and _is_whole(known):
            return known
    if mirror := os.environ.get(MIRROR):
        url = f"{mirror.rstrip('/')}/{name}"
    part = place.with_name(f"{name}.part")
    place.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {url}", file=sys.stderr)
    try:
        _download(url, part)
    except (OSError, ValueError) as error:  # ValueError: no URL at all
        raise UserError(f"cannot fetch {url} ({_reason(error)}): put it at {place}, or give {option} FILE") from None
    if not _is_whole(part, name):
        part.unlink()
        raise UserError(f"{url} is not what its name says, its sha256 is another: fetch it by hand and give {option}")
    os.replace(part, place)
    return place


def _is_whole(path: Path, name: str | None = None) -> bool:
    digits = re.search(r"-([0-9a-f]{8,64})\.", name or path.name)
    return digits is not None and fingerprint(path).startswith(digits[1])


def _download(url: str, part: Path) -> None:
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is all there is
            return
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        start = file.tell()
        whole = start + int(answer.headers.get("Content-Length") or 0)
        _copy(answer, file, start, whole)


def _copy(answer: HTTPResponse, file: BinaryIO, done: int, whole: int) -> None:
    told = 0.0
    while block := answer.read(BLOCK):
        file.write(block)
        done += len(block)
        if time.monotonic() - told > 5 or done == whole:
            told = time.monotonic()
            print(f"{done / 1e6:.0f} of {whole / 1e6:.0f} MB", file=sys.stderr)
    if done < whole:
        raise OSError(f"the connection broke after {done:,} of {whole:,} bytes; the same command goes on from there")


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "reason", error)).split())[:120] or type(error).__name__


def fingerprint(path: Path) -> str:
    """Give the sha256 of a file; raises UserError for one that cannot be read."""
    try:
        about = path.stat()
        return _sha256(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


@lru_cache(maxsize=8)
def _sha256(path: Path, _size: int, _mtime: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(path: Path, what: str) -> dict[str, Tensor]:
    """Read a dictionary of tensors that torch saved; nothing else in the file is ever run."""
    state = torch_files.load(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise unfit(path, what, "it is no dictionary of tensors")
    return dict(state)


def unfit(path: Path, what: str, why: object) -> UserError:
    """Say that a file does not hold these weights."""
    return UserError(f"{path} does not hold the weights of {what}: {' '.join(str(why).split())[:160]}")
