"""How a process is set up to compute."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt
HELD = 2**31 - 1  # bytes that are kept for the next step rather than given back


@contextmanager
def tuned() -> Iterator[None]:
    """Set the process up: numbers that die away count as 0, and memory is kept from step to step."""
    torch.set_flush_denormal(True)  # denormal numbers are slow on a CPU
    _keep_memory()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _keep_memory() -> None:
    """Stop glibc from giving large blocks back after each step: to get them again can cost a tenth of it."""
    own = None if os.name == "nt" else ctypes.CDLL(None)  # Windows names no library of its own so
    if (mallopt := getattr(own, "mallopt", None)) is not None:  # other C libraries have none
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, HELD)
