"""Set up a process for fast computation."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of glibc's mallopt
HELD = 2**31 - 1  # bytes that are kept for the next step rather than returned to the system


@contextmanager
def tuned() -> Iterator[None]:
    """Set up the process: denormal numbers are flushed to 0, and memory is kept from step to step."""
    torch.set_flush_denormal(True)  # denormal numbers are slow on a CPU
    _keep_memory()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _keep_memory() -> None:
    """Stop glibc from returning large blocks after each step: allocating them again can cost a tenth of the step."""
    own = None if os.name == "nt" else ctypes.CDLL(None)  # Windows does not support CDLL(None)
    if (mallopt := getattr(own, "mallopt", None)) is not None:  # other C libraries lack it
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, HELD)
