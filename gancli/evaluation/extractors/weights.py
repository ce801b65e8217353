"""Weights from files: fetched once, checked, and loaded without running what is in them."""

import re
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from gancli.errors import UserError
from gancli.system import cache, download
from gancli.system.digests import sha256_of
from gancli.system.untrusted import torch_files
from gancli.system.untrusted.door import check_regular
from gancli.system.untrusted.terminal import warn


def fetch_weights(name: str, url: str, option: str) -> Path:
    """Give a file whose name ends in the first digits of its sha256, from the cache or else the network.

    Raises UserError, naming URL and place, when it can be had from neither. A broken download is gone on with.
    """
    digits = _digits(name)
    hub = Path(torch.hub.get_dir()) / "checkpoints" / name  # where torch-fidelity puts it
    place = cache.folder("weights") / name
    with cache.full_is_said(cache.root()), download.alone(place.parent):
        for known in (*cache.places("weights", name), hub):
            if known.is_file() and fingerprint(known).startswith(digits):
                return known
        url = download.mirrored(url)
        warn(f"fetching {url}")
        try:
            return download.fetch(url, place, digits, download.show)
        except download.Unfetched as error:
            raise UserError(f"{error}, or give {option} FILE") from None


def _digits(name: str) -> str:
    """The first digits of its sha256 that a file's name ends in."""
    found = re.search(r"-([0-9a-f]{8,64})\.", name)
    assert found, name  # the names are ours
    return found[1]


def fingerprint(path: Path) -> str:
    """Give the sha256 of a file; raises UserError for one that cannot be read."""
    try:
        check_regular(path)
        about = path.stat()
        return _sha256(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


@lru_cache(maxsize=8)
def _sha256(path: Path, _size: int, _mtime: int) -> str:
    return sha256_of(path)


def load(path: Path, what: str) -> dict[str, Tensor]:
    """Read a dictionary of tensors that torch saved; nothing else in the file is ever run."""
    state = torch_files.load(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise unfit(path, what, "it is no dictionary of tensors")
    return dict(state)


def unfit(path: Path, what: str, why: object) -> UserError:
    """Say that a file does not hold these weights."""
    return UserError(f"{path} does not hold the weights of {what}: {' '.join(str(why).split())[:160]}")
