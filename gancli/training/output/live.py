"""The live display of a training run: progress, speed, and every term with its values over the whole run."""

import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import TracebackType
from typing import IO, Any, Self, cast

from rich.console import Console, ConsoleRenderable, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from gancli.gan import Clock
from gancli.system.progress import Bar
from gancli.system.untrusted.terminal import line
from gancli.training.output.display import NOT_TERMS, BrokenPipeSafe, Plain, Quiet

BARS = "▁▂▃▄▅▆▇█"
POINTS = 32  # in a sparkline
LONGEST_BAR, SHORTEST_BAR = 40, 8
INDENT = 10  # columns of a heading such as `warning`
NARROW = 40  # columns below which an indent would waste half of the terminal
GAP = "  "


class _Resizable(Live):
    """A live display that clears its old lines when the terminal has become narrower and has wrapped them."""

    def __init__(self, rows: Sequence[Text], **options: Any) -> None:
        super().__init__(**options)
        self._rows, self._width, self._drawn = rows, self.console.width, list[int]()

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Clear the rows that wrapped lines have taken, besides those that Rich clears."""
        width = max(1, self.console.width)
        wrapped = sum(max(0, math.ceil(drawn / width) - 1) for drawn in self._drawn) if width < self._width else 0
        self._width, self._drawn = width, [row.cell_len for row in self._rows]
        clear = Control(*[(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * wrapped)
        return [clear, *super().process_renderables(renderables)]


class Fancy(Plain):
    """A live display."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._history: dict[str, list[float]] = {}
        self._decoding = Bar(console)
        self._clock: Clock | None = None
        self._work = ""
        self._rows: list[Text] = []
        self._live = _Resizable(self._rows, console=console, get_renderable=self._render, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._work = ""
        self._live.__exit__(kind, error, trace)

    def note(self, text: str) -> None:
        """Print a message, wrapped at words and indented below its heading; commands stay whole, to be copied."""
        whole = line(text)
        room = self._console.width - 1
        is_command = whole[INDENT:].startswith("gancli ")
        for part in [whole] if is_command or room < NARROW else _wrapped(whole, room):
            super().note(part)

    def decoded(self, done: int, of: int) -> None:
        """Update the decoding bar, which disappears when all images are decoded."""
        self._decoding("decoding", done, of)

    def working(self, name: str, done: int, of: int) -> None:
        """Show other work besides training, until it is done."""
        self._work = f"{name}: {done:,} of {of:,}" if done < of else ""

    def close(self) -> None:
        """Remove the decoding bar."""
        self._decoding.close()

    def advance(self, clock: Clock) -> None:
        """Update the progress."""
        self._pace.mark(clock.images)
        self._clock = clock

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Add to the values."""
        for name, value in tick.items():
            if name not in NOT_TERMS:
                self._history.setdefault(name, []).append(float(value))

    def _render(self) -> Group:
        width = self._console.width - 1  # a terminal may wrap a line that fills it
        self._rows[:] = [_cut(row, width) for row in (*self._terms(), *self._progress(width), *self._works())]
        return Group(*self._rows)

    def _terms(self) -> list[Text]:
        names = [line(name) for name in self._history]
        widest = max(map(len, names), default=0)
        return [
            Text.assemble((f"{name:<{widest}}", "dim"), f"{GAP}{values[-1]:9.4f}{GAP}", (sparkline(values), "cyan"))
            for name, values in zip(names, self._history.values())
        ]

    def _progress(self, width: int) -> list[Text]:
        """Return the line of progress, without the parts for which there is no room; no line before the first step."""
        clock = self._clock
        if clock is None:
            return []
        kimg = f"{clock.images / 1000:.1f} / {clock.total / 1000:.1f} kimg"
        speed = f"{self._pace.images_per_second:,.0f} images/s"
        parts = [f"{clock.progress:4.0%}", kimg, self._pace.left(clock), speed]
        while len(parts) > 1 and len(GAP.join(parts)) > width:
            parts.pop()
        said = GAP.join(parts)
        room = min(LONGEST_BAR, width - len(GAP) - len(said))
        full = round(clock.progress * room)
        bar = [("━" * full, "cyan"), ("━" * (room - full), "dim"), GAP] if room >= SHORTEST_BAR else []
        return [Text.assemble(*bar, said)]

    def _works(self) -> list[Text]:
        return [Text(line(self._work), style="dim")] if self._work else []


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * INDENT
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def _cut(row: Text, width: int) -> Text:
    """Cut a line that does not fit, so that it is not wrapped."""
    row.truncate(max(1, width), overflow="ellipsis")
    row.no_wrap = True
    return row


def sparkline(values: Sequence[float]) -> str:
    """Plot numbers as a row of bars, scaled from minimum to maximum; many are averaged in equal parts.

    There is no bar where a number is not finite: a score of a poor model may have no value.
    """
    count = min(len(values), POINTS)
    edges = [i * len(values) // count for i in range(count + 1)]
    halves = [sum(values[a:b]) / (b - a) / 2 for a, b in pairwise(edges)]  # of which the difference never overflows
    finite = [half for half in halves if math.isfinite(half)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    return "".join(_bar((half - low) / ((high - low) or 1.0)) if math.isfinite(half) else " " for half in halves)


def _bar(share: float) -> str:
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]


def display_for(*, quiet: bool, json: bool) -> Quiet:
    """Choose the display for this output; with `json`, progress goes to stderr."""
    if quiet:
        return Quiet()
    console = Console(file=cast(IO[str], BrokenPipeSafe(sys.stderr if json else sys.stdout)))
    return Fancy(console) if console.is_terminal and not json else Plain(console)
