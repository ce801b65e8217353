"""Commands in processes that are forked from one which has imported everything: a start costs no import of torch.

What only an interpreter of its own can show (nohup, pipes, torchrun) starts one: tests/children.py.
"""

import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gancli.cli.main import main
from tests.children import PATIENCE

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(
    [
        "tests.training.agreeing",
        "gancli.training.launch",
        "gancli.inference.sampling.sample",
        "gancli.variants.gan",
        "matplotlib.backends.backend_agg",
    ]
)
_running: list["Forked"] = []


class Forked:
    """A command that runs here, in this environment, with what tests use of subprocess.Popen."""

    def __init__(self, program: Callable[[], object], words: tuple[object, ...], environment: dict[str, str]) -> None:
        self._streams = [tempfile.NamedTemporaryFile() for _ in range(2)]  # noqa: SIM115 until it has ended
        self._process = _server.Process(
            target=_become,
            args=(program, [*map(str, words)], os.getcwd(), environment, [stream.name for stream in self._streams]),
            daemon=True,
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        _running.append(self)

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._process.kill()

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """Wait for its end, and return what it wrote to stdout and stderr."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("gancli", timeout)
        _running.remove(self)
        told = [Path(stream.name).read_text(encoding="utf-8") for stream in self._streams]
        for stream in self._streams:
            stream.close()
        return told[0], told[1]


def _become(
    program: Callable[[], object], words: list[str], folder: str, environment: dict[str, str], streams: list[str]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_APPEND), number)
    sys.argv = ["gancli", *words]
    program()


def start(*words: object, program: Callable[[], object] = main, **environment: object) -> Forked:
    """Start a command; `environment` is added to that of the tests."""
    return Forked(program, words, {**os.environ, **{name: str(value) for name, value in environment.items()}})


def run(*words: object, program: Callable[[], object] = main) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return _end([start(*words, program=program)])


def together(
    processes: int, *words: object, program: Callable[[], object] = main
) -> "subprocess.CompletedProcess[str]":
    """Run a command as torchrun does, in several processes; the exit code is the first that is not 0."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    everyone = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    everyone |= {"CUDA_VISIBLE_DEVICES": ""}  # few machines have a GPU for each
    everyone |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return _end([start(*words, program=program, RANK=rank, LOCAL_RANK=rank, **everyone) for rank in range(processes)])


def _end(started: list[Forked]) -> "subprocess.CompletedProcess[str]":
    outs, errs = zip(*(process.communicate() for process in started))
    code = next((process.returncode for process in started if process.returncode), 0)
    return subprocess.CompletedProcess("gancli", code, "".join(outs), "".join(errs))


def end_all() -> None:
    """Kill what still runs."""
    for process in list(_running):
        process.kill()
        process.communicate()
