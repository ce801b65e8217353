"""Other people's training steps, timed in processes of their own, so that no setting of ours helps or hinders them.

A file FILE.py defines ``steps(task)``, a generator: each ``next`` trains on one batch. ``FILE.py:name`` takes another
function of it. See `Task` for what it is told.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from gancli.benchmark.timing import Window, window
from gancli.errors import UserError
from gancli.system.loading import elsewhere
from gancli.system.processes.environment import SAFE_PATH, variables
from gancli.system.untrusted import trusted_code


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


class Rival:
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

    def __enter__(self) -> "Rival":
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
    program = trusted_code.execute(
        trusted_code.read(Path(path)), Path(path).stem
    )  # the name that its own processes look for
    steps = getattr(program, function)(task)
    with suppress(EOFError):  # nobody asks any more
        while True:
            pipe.send(window(lambda: next(steps), pipe.recv(), torch.device(task.device)))
