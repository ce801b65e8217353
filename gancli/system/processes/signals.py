"""Signals that stop a run: the first takes effect once everything is saved, the second ends the process at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
if hasattr(signal, "SIGHUP"):  # not on Windows
    EXIT_CODES[signal.SIGHUP] = 129


class Stop:
    """The signal that was received, if any."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._interrupts = False

    def __call__(self) -> bool:
        """Return whether a signal was received."""
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """Return the exit code for the signal; 0 if there was none."""
        return EXIT_CODES[self.received] if self.received else 0

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal end the block at once with Interrupted."""
        self._interrupts = True
        try:
            yield
        finally:
            self._interrupts = False

    def hold(self, number: int, _frame: object) -> None:
        """Handle a signal."""
        if self.received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.received = signal.Signals(number)
        if self._interrupts:
            raise Interrupted


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Delay the first Ctrl-C, SIGTERM or SIGHUP until the step is done and saved; ignored signals stay ignored."""
    stop = Stop()
    heard = [number for number in EXIT_CODES if signal.getsignal(number) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, stop.hold) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupted(Exception):
    """Raised by a signal during work that may be left unfinished."""
