"""Forked worker processes that handle ranges of numbers; if one dies or blocks, the number it was at is reported."""

import ast
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LANES = 2  # workers at the same time
PART = 100  # numbers per worker
PATIENCE = 10  # seconds that a worker may wait without computing

Done = tuple[int, "tuple[Any, ...] | str"]  # a number, with the result of its call or how its worker ended


class _Worker:
    """A process that calls a function with each number from `first` to `last`, and writes one line per result."""

    def __init__(
        self, enter: Callable[[], None], call: Callable[[int], tuple[Any, ...]], first: int, last: int
    ) -> None:
        self.next, self.last, self._begun = first, last, b""
        self._idle, self._computed, self._blocked = 0.0, -1, False
        self.reader, writer = os.pipe()
        if (process := os.fork()) == 0:
            os.close(self.reader)
            _work(enter, call, range(first, last), writer)
        os.close(writer)
        self.process = process

    def read(self) -> Iterator[Done]:
        """Yield the results since the last call."""
        block = os.read(self.reader, 2**20)
        *lines, self._begun = (self._begun + block).split(b"\n")
        for line in lines:
            yield self.next, ast.literal_eval(line.decode())
            self.next += 1
        if not block:
            os.close(self.reader)
            _, status = os.waitpid(self.process, 0)
            self.process = 0
            if self.next < self.last:
                code = os.waitstatus_to_exitcode(status)
                yield self.next, f"worker blocked for {PATIENCE} s" if self._blocked else f"worker died, {code}"
                self.next += 1

    def kill_if_blocked(self, seconds: float) -> None:
        """Kill the worker if it has slept for too long; stopped or waiting for a disk does not count as sleeping."""
        try:
            said = Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # only Linux has /proc
            return
        computed = int(said[11]) + int(said[12])
        self._idle = self._idle + seconds if computed == self._computed and said[0] == "S" else 0
        self._computed = computed
        if self._idle >= PATIENCE:
            self._blocked = True
            os.kill(self.process, signal.SIGKILL)


def _work(enter: Callable[[], None], call: Callable[[int], tuple[Any, ...]], numbers: range, writer: int) -> None:
    """Do the work of the process; never return."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        enter()
        for number in numbers:
            os.write(writer, (repr(call(number)) + "\n").encode())
        os._exit(0)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(1)  # no further: the parent's clean-up must not run here


class Workers:
    """Worker processes that call a function with all numbers below a count, each in its own lane."""

    def __init__(self, enter: Callable[[int], None], call: Callable[[int], tuple[Any, ...]]) -> None:
        self._enter, self._call, self._lanes = enter, call, dict[int, _Worker]()

    def run(self, count: int) -> Iterator[Done]:
        """Yield results as they arrive."""
        todo = [(first, min(first + PART, count)) for first in range(0, count, PART)][::-1]
        before = time.monotonic()
        while todo or self._lanes:
            for lane in {*range(LANES)} - self._lanes.keys():
                if todo:
                    self._lanes[lane] = _Worker(lambda lane=lane: self._enter(lane), self._call, *todo.pop())
            ready, _, _ = select.select([worker.reader for worker in self._lanes.values()], [], [], 1)
            seconds, before = min(time.monotonic() - before, 1.5), time.monotonic()
            for lane, worker in list(self._lanes.items()):
                if worker.reader not in ready:
                    worker.kill_if_blocked(seconds)
                    continue
                yield from worker.read()
                if not worker.process:
                    del self._lanes[lane]
                    todo += [(worker.next, worker.last)] if worker.next < worker.last else []

    def end(self) -> None:
        """Kill all workers that still run."""
        for worker in self._lanes.values():
            with suppress(ProcessLookupError):
                os.kill(worker.process, signal.SIGKILL)
            os.waitpid(worker.process, 0)
