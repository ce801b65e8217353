"""Show how far a piece of work is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gancli.system.untrusted.terminal import line, shows_progress, tell

SECONDS = 15  # between lines

Tell = Callable[[str, int, int], None]  # name of the work, images done, images in total


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    seconds = round(seconds)
    for unit, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{seconds} s"


class Lines:
    """Print a line with progress, speed and time left now and then."""

    def __init__(self, say: Callable[[str], None] = tell) -> None:
        self._say = say
        self._name, self._began, self._told = "", 0.0, 0.0
        self._first = self._last = 0

    def __call__(self, name: str, done: int, of: int) -> None:
        """Print a line if one is due."""
        now = time.monotonic()
        if name != self._name or done <= self._last:  # another piece of work
            self._name, self._began, self._told, self._first = name, now, now, done
        self._last = done
        if now - self._told < SECONDS or done == self._first:
            return
        self._told = now
        speed = (done - self._first) / (now - self._began)
        left = duration((of - done) / max(speed, 1e-9))
        self._say(f"{name}: {done:,} of {of:,} images, {speed:.1f} images/s, {left} left")


class Bar:
    """Show a bar for one piece of work after the other; it disappears when its work is done."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self._name = ""

    def __call__(self, name: str, done: int, of: int) -> None:
        """Move the bar."""
        if name != self._name:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(line(name), total=of)
            self._name = name
            self._bar.start()
        self._bar.update(self._bar.task_ids[-1], completed=done, total=of)
        if done >= of:
            self.close()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()
        self._name = ""


@contextmanager
def progress() -> Iterator[Tell]:
    """Return what shows progress on standard error, and leave the terminal as it was, also after Ctrl-C."""
    if not shows_progress():
        yield Lines()
        return
    from rich.console import Console

    bar = Bar(Console(stderr=True))
    try:
        yield bar
    finally:
        bar.close()
