"""What one file of a stranger may cost, whatever it says of itself: bytes, time, and lengths that are asked for."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.system.untrusted.door import check_regular, reading

LARGEST = 2 * 2**30  # bytes of a file, and of what is made of it besides
LEAST, TIMES = 2**28, 4  # of what is made: so many bytes at least, and so many times those of the file
MOST_OPCODES = 2**20  # a few seconds; stack and memo cannot hold more than this either
LARGEST_KEY = 2**60  # equal hashes can be had for larger numbers, at will, and for tuples of any
MOST_TUPLES, LONGEST_TUPLE = 1000, 16  # as keys


@dataclass
class Bounds:
    """What one file may cost, counted over all pickles in it; each raises ValueError when it is used up."""

    bytes: int  # left to be made
    opcodes: int = MOST_OPCODES
    tuples: int = MOST_TUPLES

    @classmethod
    def of(cls, length: int) -> "Bounds":
        """Give what a file of so many bytes may cost."""
        return cls(min(max(LEAST, TIMES * length), LARGEST))

    def step(self) -> None:
        """Count an opcode."""
        self.opcodes -= 1
        if self.opcodes < 0:
            raise ValueError(f"it has more than {MOST_OPCODES:,} opcodes")

    def take(self, size: int) -> None:
        """Count bytes that are made, not read: one part of a file could be asked for again and again."""
        self.bytes -= size
        if self.bytes < 0:
            raise ValueError("it expands to far more bytes than it has")

    def key(self, value: Any) -> Any:
        """Give a key back whose hash is cheap and cannot be chosen."""
        parts: Iterable[Any] = (value,)
        if isinstance(value, tuple | frozenset):
            self.tuples -= 1
            parts = value
            if self.tuples < 0 or len(value) > LONGEST_TUPLE or any(isinstance(p, tuple | frozenset) for p in value):
                raise ValueError(f"it uses more than {MOST_TUPLES:,} tuples, or large ones, as keys")
        if any(isinstance(part, int) and abs(part) >= LARGEST_KEY for part in parts):
            raise ValueError(f"it uses a number of {LARGEST_KEY:,} or more as a key")
        return value


class Bounded(io.BufferedReader):
    """A file of which no more is asked at a time than it can hold: a length in a file may be any number."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self.most = self.length = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; raises ValueError where more is asked than `most`."""
        if size is not None and size > self.most:
            raise ValueError(f"it declares {size:,} bytes, more than the file can hold")
        return super().read(size)


@contextmanager
def opened(path: Path) -> Iterator[Bounded]:
    """Open a stranger's file; raises UserError, naming it, for whatever goes wrong until it is closed."""
    check_regular(path)
    with reading(str(path)), Bounded(io.FileIO(path)) as file:
        if file.length > LARGEST:
            raise ValueError(f"it has {file.length:,} bytes; at most {LARGEST:,} are read")
        yield file
