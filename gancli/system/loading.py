"""Load torch safely, so that no file in the current folder is loaded as a part of it.

One of its libraries (NVIDIA's libcusparseLt, whose RUNPATH ends in an empty entry) searches the current folder for
libcuda.so.1 before it looks where the driver is.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load_torch() -> None:
    """Import torch from another working directory, before any other module imports it."""
    if "torch" not in sys.modules:
        with elsewhere():
            import torch  # noqa: F401


@contextmanager
def elsewhere() -> Iterator[None]:
    """Leave the current folder while the block runs; call it before threads start, which share it."""
    if sys.platform != "linux":  # other systems have no such paths
        yield
        return
    here = os.open(".", os.O_PATH)  # a handle, because a path may not lead back here
    try:
        os.chdir(os.sep)
        yield
    finally:
        os.fchdir(here)
        os.close(here)
