"""What tests of data share: opening a source, and the bytes of an idx file."""

import struct

import numpy as np

from gancli.data.request import Request, Wanted
from gancli.data.sources.decode import Pictures
from gancli.data.sources.open import open_source


def opened(source: object, **wanted: object) -> Pictures:
    return open_source(Request(str(source), Wanted(**wanted)))  # type: ignore[arg-type]


def idx(shape: tuple[int, ...], kind: int = 8, data: bytes | None = None) -> bytes:
    sides = b"".join(struct.pack(">I", side) for side in shape)
    return bytes([0, 0, kind, len(shape)]) + sides + (bytes(min(int(np.prod(shape)), 4096)) if data is None else data)
