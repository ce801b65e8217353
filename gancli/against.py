"""Other people's training steps, timed in processes of their own, so that no setting of ours helps or hinders them.

A file FILE.py defines ``steps(task)``, a generator: each ``next`` trains on one batch. ``FILE.py:name`` takes another
function of it. See `Task` for what it is told.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch

from gancli import trust
from gancli.environment import SAFE_PATH, variables
from gancli.errors import UserError
from gancli.flops import wait_for
from gancli.loading import elsewhere


@dataclass(frozen=True)
class Task:
    """What a training step is to be measured on."""

    data: str  # as on the command line: a folder, mostly
    batch: int
    channels: int
    height: int
    width: int
    device: str
    data_b: str | None = None


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


class Other:
    """A training step in a process of its own; use it as a context."""

    def __init__(self, given: str, task: Task) -> None:
        self.name = given
        path, _, function = given.partition(":")
        if not Path(path).is_file():
            raise UserError(f"--against {given}: there is no file {path}")
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getcwd(), path, function or "steps", task))
        # it begins with imports, before it is told where to look: nothing of the current folder is meant
        with variables(SAFE_PATH), elsewhere():
            self._process.start()
        theirs.close()

    def __enter__(self) -> "Other":
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join()

    def window(self, seconds: float) -> Window:
        """Let it make steps for some seconds; raises UserError when it breaks."""
        with suppress(OSError):
            self._pipe.send(seconds)
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise UserError(f"--against {self.name}: it broke; what it said of it stands above") from None


def _serve(pipe: Connection, folder: str, path: str, function: str, task: Task) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(Path(path).parent))  # as for `python FILE.py`
    program = trust.execute(trust.read(Path(path)), Path(path).stem)  # the name that its own processes look for
    steps = getattr(program, function)(task)
    with suppress(EOFError):  # nobody asks any more
        while True:
            pipe.send(window(lambda: next(steps), pipe.recv(), torch.device(task.device)))
