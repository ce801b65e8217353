"""Processes that tests start: each ends with its test, and so does whatever it has started itself."""

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE = 170  # seconds that `run` waits
MARK = "STARTED_BY_TEST"  # in the environment of a child, which its own children inherit, whatever their session

_running: list[tuple["subprocess.Popen[Any]", str]] = []


def start(command: Sequence[object], *, env: dict[str, str] | None = None, **options: Any) -> "subprocess.Popen[Any]":
    """Start a process, as subprocess.Popen does, in a session of its own."""
    mark = uuid.uuid4().hex
    environment = {**(os.environ if env is None else env), MARK: mark}
    process = subprocess.Popen([*map(str, command)], env=environment, start_new_session=True, **options)
    _running.append((process, mark))
    return process


def run(
    command: Sequence[object],
    *,
    text: str | None = None,
    timeout: float = PATIENCE,
    check: bool = False,
    **options: Any,
) -> "subprocess.CompletedProcess[Any]":
    """Run a process to its end, as subprocess.run does, `text` on its stdin; both streams are captured by default."""
    if not options.keys() & {"stdout", "stderr"}:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(command, stdin=subprocess.PIPE if text is not None else None, text=True, **options)
    try:
        out, err = process.communicate(text, timeout=timeout)
    except BaseException:
        end_all()
        raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def end_all() -> None:
    """Kill what still runs of all that was started, to the last grandchild."""
    while _running:
        process, mark = _running.pop()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for child in _marked(mark):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        _reap(process)


def _reap(process: "subprocess.Popen[Any]") -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()


def _marked(mark: str) -> Iterator[int]:
    """Find processes by their environment; only Linux shows it, elsewhere the session has to do."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)
