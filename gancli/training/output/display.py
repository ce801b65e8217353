"""Progress output of a training run: a live display on a terminal, plain lines elsewhere, or nothing."""

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

PLAIN_SECONDS = 30  # between progress lines when the output is not a terminal
NOT_TERMS = ("step", "images", "seconds", "images_per_second")
BARS = "▁▂▃▄▅▆▇█"
HISTORY = 32  # ticks in a sparkline


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    seconds = round(seconds)
    for unit, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{seconds} s"


class BrokenPipeSafe:
    """A stream that discards output once its pipe or terminal is closed, so that training continues."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or discard the text if the reader has gone."""
        try:
            return self._stream.write(text)
        except OSError:
            self._close()
            return len(text)

    def flush(self) -> None:
        """Flush, unless the reader has gone."""
        try:
            self._stream.flush()
        except OSError:
            self._close()

    def _close(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())  # the stream's buffered output goes there too
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Pace:
    """Estimate the time left from the speed of about the last minute."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def mark(self, images: int) -> None:
        """Record how many images training has seen."""
        now = time.monotonic()
        if not self._marks or now - self._marks[-1][0] > 1:
            self._marks = [*self._marks[-60:], (now, images)]

    @property
    def images_per_second(self) -> float:
        """Return the recent speed in images per second; 0 if it is too early to tell."""
        if len(self._marks) < 2:
            return 0.0
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(end - start, 1e-9)

    def left(self, clock: Clock) -> str:
        """Format the estimated time left."""
        speed = self.images_per_second
        return duration((clock.total - clock.images) / speed) + " left" if speed else "…"


class Quiet:
    """A display that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def note(self, text: str) -> None:
        """Ignore a message."""

    def decoded(self, done: int, of: int) -> None:
        """Ignore the progress of decoding."""

    def close(self) -> None:
        """Restore the terminal."""

    def advance(self, clock: Clock) -> None:
        """Ignore a training step."""

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Ignore new means."""


class Plain(Quiet):
    """A display that prints a line every half minute, for logs, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console, self._pace, self._last, self._tick = console, Pace(), time.monotonic(), ""

    def note(self, text: str) -> None:
        """Print a message on its own line."""
        self._console.print(line(text), soft_wrap=True, highlight=False, markup=False)

    def decoded(self, done: int, of: int) -> None:
        """Print, now and then, how many images have been decoded."""
        if done % 10_000 == 0:  # fewer images decode too quickly to report
            self.note(f"decoded {done:,} of {of:,} images")

    def advance(self, clock: Clock) -> None:
        """Print a progress line if one is due."""
        self._pace.mark(clock.images)
        if time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._last = time.monotonic()
        speed = f"{self._pace.images_per_second:,.0f} images/s"
        done = f"{clock.progress:4.0%}  {clock.images / 1000:.1f} of {clock.total / 1000:.1f} kimg"
        self.note("  ".join(part for part in (done, speed, self._pace.left(clock), self._tick) if part))

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Keep the means for the next progress line."""
        self._tick = "  ".join(f"{name} {value:.3f}" for name, value in tick.items() if name not in NOT_TERMS)


class Fancy(Plain):
    """A live display: progress, speed, and every term with its recent values."""

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
        """Update the decoding bar, which disappears when all images are decoded."""
        if self._decoding is None:
            columns = TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._decoding = Progress(*columns, console=self._console, transient=True)
            self._decoding.add_task("", total=of)
            self._decoding.start()
        self._decoding.update(self._decoding.task_ids[0], completed=done)
        if done == of:
            self.close()

    def close(self) -> None:
        """Remove the decoding bar."""
        if self._decoding:
            self._decoding.stop()
            self._decoding = None

    def advance(self, clock: Clock) -> None:
        """Update the progress bar."""
        self._pace.mark(clock.images)
        pace = f"{self._pace.images_per_second:,.0f} images/s  {self._pace.left(clock)}"
        kimg = f"{clock.images / 1000:.1f} / {clock.total / 1000:.1f} kimg"
        self._bar.update(self._task, completed=clock.progress, kimg=kimg, pace=pace)

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Add to the recent values."""
        for name, value in tick.items():
            if name not in NOT_TERMS:
                self._history[name] = [*self._history.get(name, [])[1 - HISTORY :], float(value)]

    def _render(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, values in self._history.items():
            table.add_row(Text(line(name), style="dim"), f"{values[-1]:9.4f}", Text(sparkline(values), style="cyan"))
        return Group(table, self._bar)


def sparkline(values: list[float]) -> str:
    """Plot numbers as a row of bars, scaled from minimum to maximum."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(BARS[min(int((value - low) / span * len(BARS)), len(BARS) - 1)] for value in values)


def display_for(*, quiet: bool, json: bool) -> Quiet:
    """Choose the display for this output; with `json`, progress goes to stderr."""
    if quiet:
        return Quiet()
    console = Console(file=cast(IO[str], BrokenPipeSafe(sys.stderr if json else sys.stdout)))
    return Fancy(console) if console.is_terminal and not json else Plain(console)
