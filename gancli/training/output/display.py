"""What a training run prints: a live display on a terminal, plain lines elsewhere, or nothing."""

import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console

from gancli.gan import Clock
from gancli.system.progress import Lines, duration
from gancli.system.untrusted.terminal import line

PLAIN_SECONDS = 30  # between progress lines when the output is not a terminal
NOT_TERMS = ("step", "images", "seconds", "images_per_second")


def _is_term(name: str, value: Any) -> bool:
    """Tell whether a logged value is a loss term that can be shown; a log may hold anything where a run went wrong."""
    return name not in NOT_TERMS and isinstance(value, int | float)


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


class Speed:
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

    def working(self, name: str, done: int, of: int) -> None:
        """Ignore the progress of other work, such as an evaluation."""

    def close(self) -> None:
        """Restore the terminal."""

    def advance(self, clock: Clock) -> None:
        """Ignore a training step."""

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Ignore new means."""


class Plain(Quiet):
    """A display that prints a line every half minute, for logs, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console, self._pace, self._last, self._tick = console, Speed(), time.monotonic(), ""
        self._lines = Lines(self.note)

    def note(self, text: str) -> None:
        """Print a message on its own line."""
        self._console.print(line(text), soft_wrap=True, highlight=False, markup=False)

    def decoded(self, done: int, of: int) -> None:
        """Print, now and then, how many images have been decoded."""
        if done % 10_000 == 0:  # fewer images decode too quickly to report
            self.note(f"decoded {done:,} of {of:,} images")

    def working(self, name: str, done: int, of: int) -> None:
        """Print a line about other work if one is due."""
        self._lines(name, done, of)

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
        self._tick = "  ".join(f"{name} {value:.3f}" for name, value in tick.items() if _is_term(name, value))
