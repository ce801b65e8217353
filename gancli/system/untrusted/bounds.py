"""Limit what reading an untrusted file may cost, whatever it declares: bytes, time and lengths."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.system.untrusted.door import check_regular, reading

LARGEST = 2 * 2**30  # bytes of a file, and of the values made from it
LEAST, TIMES = 2**28, 4  # limit on the values made: at least so many bytes, or so many times the file's
MOST_OPCODES = 2**20  # a few seconds; also limits the stack and the memo
LARGEST_KEY = 2**60  # larger numbers, and tuples, allow deliberate hash collisions
MOST_TUPLES, LONGEST_TUPLE = 1000, 16  # as keys


@dataclass
class Bounds:
    """The limits for one file, counted over all pickles in it; each method raises ValueError at its limit."""

    bytes: int  # that may still be made
    opcodes: int = MOST_OPCODES
    tuples: int = MOST_TUPLES

    @classmethod
    def of(cls, length: int) -> "Bounds":
        """Return the limits for a file of so many bytes."""
        return cls(min(max(LEAST, TIMES * length), LARGEST))

    def step(self) -> None:
        """Count an opcode."""
        self.opcodes -= 1
        if self.opcodes < 0:
            raise ValueError(f"it has more than {MOST_OPCODES:,} opcodes")

    def take(self, size: int) -> None:
        """Count bytes that are made, not read: a file could refer to one part again and again."""
        self.bytes -= size
        if self.bytes < 0:
            raise ValueError("it expands to far more bytes than it has")

    def key(self, value: Any) -> Any:
        """Return a key unchanged if its hash is cheap and cannot be chosen; else raise ValueError."""
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
    """A file that refuses to read more bytes at a time than it can hold: a declared length may be any number."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self.most = self.length = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read bytes; raise ValueError if more than `most` are requested."""
        if size is not None and size > self.most:
            raise ValueError(f"it declares {size:,} bytes, more than the file can hold")
        return super().read(size)


@contextmanager
def opened(path: Path) -> Iterator[Bounded]:
    """Open an untrusted file; raise UserError, naming it, for any failure until it is closed."""
    check_regular(path)
    with reading(str(path)), Bounded(io.FileIO(path)) as file:
        if file.length > LARGEST:
            raise ValueError(f"it has {file.length:,} bytes; at most {LARGEST:,} are read")
        yield file
