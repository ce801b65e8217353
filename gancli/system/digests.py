"""Hashes of file contents."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Give the sha256 of a file in hexadecimal, read a part at a time; raises OSError for one that cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
