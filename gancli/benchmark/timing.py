"""Windows of training steps: how many were made, how long they took, how much memory they held."""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from gancli.system.devices import wait_for


class Window(NamedTuple):
    """Steps that were made one after the other."""

    steps: int
    seconds: float
    cpu: float  # seconds that the processors worked for it: what else runs on the machine hardly changes them
    memory: int  # bytes: the most that the process has held


def window(step: Callable[[], object], seconds: float, device: torch.device) -> Window:
    """Make steps for some seconds, one at least."""
    count, began, worked = 0, time.perf_counter(), time.process_time()
    while not count or time.perf_counter() - began < seconds:
        step()
        count += 1
    wait_for(device)
    return Window(count, time.perf_counter() - began, time.process_time() - worked, peak_memory(device))


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has held at most: on an accelerator, of its memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
