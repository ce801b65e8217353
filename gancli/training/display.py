"""What a person sees of a training run: a live display on a terminal, plain lines elsewhere, or nothing."""

import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, Self, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from gancli.gan import Clock
from gancli.system.untrusted.terminal import line

PLAIN_SECONDS = 30  # between lines off a terminal
NOT_TERMS = ("step", "images", "seconds", "images_per_second")
BARS = "▁▂▃▄▅▆▇█"
HISTORY = 32  # ticks in a sparkline


def duration(seconds: float) -> str:
    """Say a time in the two units that matter: 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    seconds = round(seconds)
    for unit, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{seconds} s"


class BrokenPipeSafe:
    """A stream that falls silent when its reader has gone, a closed pipe or terminal: that must not end a training."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if anyone reads."""
        try:
            return self._stream.write(text)
        except OSError:
            self._close()
            return len(text)

    def flush(self) -> None:
        """Send what was written, if anyone reads."""
        try:
            self._stream.flush()
        except OSError:
            self._close()

    def _close(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())  # what is still in the stream's buffer goes there too
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Pace:
    """Time left, from the pace of the last minute or so."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def mark(self, images: int) -> None:
        """Note where training is now."""
        now = time.monotonic()
        if not self._marks or now - self._marks[-1][0] > 1:
            self._marks = [*self._marks[-60:], (now, images)]

    @property
    def images_per_second(self) -> float:
        """Images a second lately; 0 when it is too early to tell."""
        if len(self._marks) < 2:
            return 0.0
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(end - start, 1e-9)

    def left(self, clock: Clock) -> str:
        """Say how long the rest takes."""
        speed = self.images_per_second
        return duration((clock.total - clock.images) / speed) + " left" if speed else "…"


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def note(self, text: str) -> None:
        """Nothing."""

    def decoded(self, done: int, of: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    def advance(self, clock: Clock) -> None:
        """Nothing."""

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Nothing."""


class Plain(Quiet):
    """A line every half minute: for logs, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console, self._pace, self._last, self._tick = console, Pace(), time.monotonic(), ""

    def note(self, text: str) -> None:
        """A line of its own."""
        self._console.print(line(text), soft_wrap=True, highlight=False, markup=False)

    def decoded(self, done: int, of: int) -> None:
        """Maybe a line: how many pictures are read, of how many."""
        if done % 10_000 == 0:  # fewer take no time worth a word
            self.note(f"decoded {done:,} of {of:,} images")

    def advance(self, clock: Clock) -> None:
        """Maybe a line."""
        self._pace.mark(clock.images)
        if time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._last = time.monotonic()
        speed = f"{self._pace.images_per_second:,.0f} images/s"
        done = f"{clock.progress:4.0%}  {clock.images / 1000:.1f} of {clock.total / 1000:.1f} kimg"
        self.note("  ".join(part for part in (done, speed, self._pace.left(clock), self._tick) if part))

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Keep the means for the next line."""
        self._tick = "  ".join(f"{name} {value:.3f}" for name, value in tick.items() if name not in NOT_TERMS)


class Fancy(Plain):
    """A live display: progress, pace, and every term with its recent course."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._history: dict[str, list[float]] = {}
        self._decoding: Progress | None = None
        self._bar = Progress(
            TextColumn("[bold]{task.fields[kimg]}"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task("", total=1.0, kimg="", pace="")
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def decoded(self, done: int, of: int) -> None:
        """Move a bar of its own, which goes when all is read."""
        if self._decoding is None:
            columns = TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._decoding = Progress(*columns, console=self._console, transient=True)
            self._decoding.add_task("", total=of)
            self._decoding.start()
        self._decoding.update(self._decoding.task_ids[0], completed=done)
        if done == of:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._decoding:
            self._decoding.stop()
            self._decoding = None

    def advance(self, clock: Clock) -> None:
        """Move the bar."""
        self._pace.mark(clock.images)
        pace = f"{self._pace.images_per_second:,.0f} images/s  {self._pace.left(clock)}"
        kimg = f"{clock.images / 1000:.1f} / {clock.total / 1000:.1f} kimg"
        self._bar.update(self._task, completed=clock.progress, kimg=kimg, pace=pace)

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Add to the courses."""
        for name, value in tick.items():
            if name not in NOT_TERMS:
                self._history[name] = [*self._history.get(name, [])[1 - HISTORY :], float(value)]

    def _render(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, values in self._history.items():
            table.add_row(Text(line(name), style="dim"), f"{values[-1]:9.4f}", Text(sparkline(values), style="cyan"))
        return Group(table, self._bar)


def sparkline(values: list[float]) -> str:
    """Draw numbers as a row of bars, from their least to their greatest."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(BARS[min(int((value - low) / span * len(BARS)), len(BARS) - 1)] for value in values)


def display_for(*, quiet: bool, json: bool) -> Quiet:
    """Choose by who is watching; results alone go to stdout with `json`."""
    if quiet:
        return Quiet()
    console = Console(file=cast(IO[str], BrokenPipeSafe(sys.stderr if json else sys.stdout)))
    return Fancy(console) if console.is_terminal and not json else Plain(console)
