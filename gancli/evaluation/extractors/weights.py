"""Weight files: download once, verify, and load without running any code in them."""

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
    """Return a file whose name ends in the first digits of its sha256, from the cache or the network.

    Raise Unfetched, with URL and path, if neither has it. An interrupted download is resumed.
    """
    digits = _digits(name)
    hub = Path(torch.hub.get_dir()) / "checkpoints" / name  # where torch-fidelity stores it
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
            raise error.or_else(f"give {option} FILE") from None


def _digits(name: str) -> str:
    """Return the first digits of the sha256 at the end of a file's name."""
    found = re.search(r"-([0-9a-f]{8,64})\.", name)
    assert found, name  # the names are ours
    return found[1]


def fingerprint(path: Path) -> str:
    """Return the sha256 of a file; raise UserError if it cannot be read."""
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
    """Read a dictionary of tensors that torch saved, without running any code in the file."""
    state = torch_files.load(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise unfit(path, what, "it is not a dictionary of tensors")
    return dict(state)


def unfit(path: Path, what: str, why: object) -> UserError:
    """Return the error for a file that does not contain these weights."""
    return UserError(f"{path} does not contain the weights of {what}: {' '.join(str(why).split())[:160]}")
