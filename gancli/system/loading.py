"""torch, loaded where nothing of a stranger's can be taken for a part of it.

A library that comes with it (NVIDIA's libcusparseLt: its RUNPATH ends in an empty entry) looks for libcuda.so.1 in the
current folder, before it looks where the driver is.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load_torch() -> None:
    """Import torch, away from the current folder; before anything else does."""
    if "torch" not in sys.modules:
        with elsewhere():
            import torch  # noqa: F401


@contextmanager
def elsewhere() -> Iterator[None]:
    """Leave the current folder while the block runs; only before there are threads, which would notice."""
    if sys.platform != "linux":  # others have no such paths
        yield
        return
    here = os.open(".", os.O_PATH)  # not its name: it may be one that we could not go back to
    try:
        os.chdir(os.sep)
        yield
    finally:
        os.fchdir(here)
        os.close(here)
