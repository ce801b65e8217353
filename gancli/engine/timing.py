"""Timing windows: number of training steps, their duration and their peak memory."""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from gancli.system.devices import wait_for


class Window(NamedTuple):
    """Consecutive steps."""

    steps: int
    seconds: float
    cpu: float  # seconds of CPU time, which other programs on the machine hardly affect
    memory: int  # peak memory of the process in bytes


def window(step: Callable[[], object], seconds: float, device: torch.device) -> Window:
    """Run and time steps for some seconds, but at least one."""
    count, began, worked = 0, time.perf_counter(), time.process_time()
    while not count or time.perf_counter() - began < seconds:
        step()
        count += 1
    wait_for(device)
    return Window(count, time.perf_counter() - began, time.process_time() - worked, peak_memory(device))


def peak_memory(device: torch.device) -> int:
    """Return this process's peak memory in bytes: of the GPU on CUDA, otherwise of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
