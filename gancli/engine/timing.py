"""Time training steps: how long they take, and their peak memory."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import torch

from gancli.system import dist
from gancli.system.devices import wait_for

GROWTH = 4  # factor from one timing window to the next
COLD = 10.0  # seconds; a first step that takes at most this long may be slow only because it is the first


class Window(NamedTuple):
    """Consecutive steps."""

    steps: int
    seconds: float
    cpu: float  # seconds of CPU time, which other programs on the machine hardly affect
    memory: int  # peak memory of the process in bytes


class StepCost(NamedTuple):
    """The time and memory of a training step."""

    seconds: float
    memory: int  # peak memory of the process in bytes; 0 if unknown


def window(step: Callable[[], object], seconds: float, device: torch.device) -> Window:
    """Run and time steps for some seconds, but at least one."""
    count, began, worked = 0, time.perf_counter(), time.process_time()
    while not count or time.perf_counter() - began < seconds:
        step()
        count += 1
    wait_for(device)
    return Window(count, time.perf_counter() - began, time.process_time() - worked, peak_memory(device))


def step_cost(step: Callable[[], object], device: torch.device, most: int, seconds: float) -> StepCost:
    """Time one to `most` steps in about so many seconds; all processes run the same number.

    They are timed in growing windows, and only the last one counts: during the first ones libraries are loaded, memory
    is allocated, kernels are chosen and CUDA graphs are captured. So a second step follows even a first one that used
    all the seconds, unless that took very long.
    """
    done, spent, count = 0, 0.0, 1
    while True:
        took = _took(step, count, device)
        done, spent = done + count, spent + took
        following = _following(count, took, most - done, seconds - spent)
        if done == 1 and took <= COLD:
            following = min(max(following, 1), most - done)
        following = dist.gathered(following)[0]
        if not following:
            return StepCost(took / count, peak_memory(device))
        count = following


def _took(step: Callable[[], object], count: int, device: torch.device) -> float:
    began = time.perf_counter()
    for _ in range(count):
        step()
    wait_for(device)
    return time.perf_counter() - began


def _following(count: int, took: float, most: int, seconds: float) -> int:
    """Return the number of steps in the next window; 0 if there is no room for one as long as this one."""
    fits = min(GROWTH * count, most, int(seconds / max(took / count, 1e-9)))
    return fits if fits >= count else 0


def peak_memory(device: torch.device) -> int:
    """Return this process's peak memory in bytes: of the GPU on CUDA, otherwise of the machine; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(ImportError):  # Windows has no such module
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return 0
