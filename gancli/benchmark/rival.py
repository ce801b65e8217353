"""Training steps of other programs, each timed in a separate process so that our settings do not affect it.

FILE.py defines a generator ``steps(task)``: each ``next`` trains on one batch. ``FILE.py:name`` names another function.
See `Task` for its argument.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from gancli.engine.timing import Window, window
from gancli.errors import UserError
from gancli.system.loading import elsewhere
from gancli.system.processes.environment import SAFE_PATH, variables
from gancli.system.untrusted import trusted_code


@dataclass(frozen=True)
class Task:
    """The data, batch and device to measure a training step on."""

    data: str  # as on the command line: usually a folder
    batch: int
    channels: int
    height: int
    width: int
    device: str
    data_b: str | None = None


def check(given: str) -> str:
    """Return the file of another program; raise UserError if there is none."""
    path = given.partition(":")[0]
    if not Path(path).is_file():
        raise UserError(f"--against {given}: no file {path}; give FILE.py or FILE.py:function")
    return path


class Rival:
    """Another program's training step in a separate process; use it as a context manager."""

    def __init__(self, given: str, task: Task) -> None:
        self.name = given
        path, function = check(given), given.partition(":")[2]
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getcwd(), path, function or "steps", task))
        # it imports modules before it receives its path: none may come from the current folder
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
        """Let it train for some seconds. Raise UserError if it fails."""
        with suppress(OSError):
            self._pipe.send(seconds)
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise UserError(f"--against {self.name} failed: see its error above") from None


def _serve(pipe: Connection, folder: str, path: str, function: str, task: Task) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(Path(path).parent))  # as for `python FILE.py`
    # under the module name that its own subprocesses look up
    program = trusted_code.execute(trusted_code.read(Path(path)), Path(path).stem)
    steps = getattr(program, function)(task)
    with suppress(EOFError):  # the benchmark has closed the pipe
        while True:
            pipe.send(window(lambda: next(steps), pipe.recv(), torch.device(task.device)))
