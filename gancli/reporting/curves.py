"""The curves of a report: one panel per term, stat and metric, drawn as lines of an SVG with values to read off."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gancli.images.curves import MOST_PANELS, SPEED, Point, counted, heading, points
from gancli.images.curves import names as names_in
from gancli.metrics import table
from gancli.reporting.runs import ReportedRun

WIDTH, HEIGHT = 360, 190  # of a panel, in its own units
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 28  # around the lines
MOST_POINTS = 400  # of a line; of more, the extremes of each stretch are kept
MANY = 60  # points from which a mean is drawn over the values
STRETCHES = 25  # in a line: the mean is over one of them
LEAST = 1e-200  # smaller differences could not be divided by
SPIKE = 0.01  # share of the values at either end that may lie outside of the axis …
FAR = 4.0  # … if they would make it so many times as long


@dataclass(frozen=True)
class Curve:
    """The line of one run in a panel."""

    run: int  # its number in the report
    points: list[Point]  # what can be read off
    of: int  # points in the log
    path: str  # of all points
    mean: str  # path of the mean; "" for few points
    dots: list[tuple[float, float]]  # of a line of few points


@dataclass(frozen=True)
class AxisMark:
    """A tick of an axis: its place and text."""

    at: float
    text: str


@dataclass(frozen=True)
class Panel:
    """A panel: the curves of one name."""

    name: str
    curves: list[Curve]
    across: list[AxisMark]
    up: list[AxisMark]
    outside: int  # values that lie outside of the axis
    low: float
    high: float


def panels(runs: Sequence[ReportedRun]) -> list[Panel]:
    """Return a panel for each name in the logs: metrics first, the speed last."""
    most = max((run.images for run in runs), default=0)
    return [_panel(name, runs, most) for name in names(runs)]


def left_out(runs: Sequence[ReportedRun]) -> int:
    """Return how many names have no panel because there are too many."""
    return max(len(counted(_ticks(runs))) - MOST_PANELS, 0)


def names(runs: Sequence[ReportedRun]) -> list[str]:
    """Return the names that have a panel."""
    found = sorted(names_in(_ticks(runs)), key=lambda name: table.find(name) is None)
    return [*found, *([SPEED] if points(_ticks(runs), SPEED) else [])]


def _ticks(runs: Sequence[ReportedRun]) -> Iterator[dict[str, Any]]:
    return (tick for run in runs for tick in run.log.ticks)


def thinned(line: list[Point], most: int = MOST_POINTS) -> list[Point]:
    """Keep the first and the last point, and of each stretch between them the lowest and the highest."""
    if len(line) <= most:
        return line
    kept = {0, len(line) - 1}
    edges = [round(i * len(line) / (most // 2 - 1)) for i in range(most // 2)]
    for start, end in pairwise(edges):
        stretch = range(start, max(end, start + 1))
        kept |= {min(stretch, key=lambda i: line[i][1]), max(stretch, key=lambda i: line[i][1])}
    return [line[i] for i in sorted(kept)]


def averaged(line: list[Point]) -> list[Point]:
    """Return the running mean of a line, over a stretch around each point that is the same on both sides."""
    half = max(len(line) // STRETCHES // 2, 1)
    sums = [0.0]
    for _, value in line:
        sums.append(sums[-1] + value)
    means = []
    for i, (images, _) in enumerate(line):
        reach = min(half, i, len(line) - 1 - i)
        means.append((images, (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1)))
    return means


def _panel(name: str, runs: Sequence[ReportedRun], most: int) -> Panel:
    lines = [(i, points(run.log.ticks, name)) for i, run in enumerate(runs)]
    values = sorted(value for _, line in lines for _, value in line)
    low, high = _range(values)
    up = marks(low, high, 4)
    low, high = min(low, up[0]), max(high, up[-1])
    axes = _Axes(most, low, high)
    return Panel(
        heading(name),
        [_curve(i, line, axes) for i, line in lines if line],
        [AxisMark(axes.x(images), number(images / 1000)) for images in marks(0, most, 4) if images <= most],
        [AxisMark(axes.y(value), number(value)) for value in up],
        sum(not low <= value <= high for value in values),
        low,
        high,
    )


def _curve(run: int, line: list[Point], axes: "_Axes") -> Curve:
    few = thinned(line)
    mean = axes.path(thinned(averaged(line))) if len(line) > MANY else ""
    dots = [axes.place(point) for point in line] if len(line) <= STRETCHES else []
    return Curve(run, few, len(line), axes.path(few), mean, dots)


@dataclass(frozen=True)
class _Axes:
    most: int
    low: float
    high: float

    def x(self, images: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (images / self.most if self.most else 0), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, -0.5), 1.5), 1)

    def place(self, point: Point) -> tuple[float, float]:
        return self.x(point[0]), self.y(point[1])

    def path(self, line: list[Point]) -> str:
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in map(self.place, line))


def _range(values: list[float]) -> tuple[float, float]:
    """Return the range of sorted values, without the spikes that would flatten all else."""
    cut = int(len(values) * SPIKE)
    low, high = values[cut], values[len(values) - 1 - cut]
    wide = FAR * (high - low)
    low, high = (values[0] if low - values[0] < wide else low), (values[-1] if values[-1] - high < wide else high)
    if high - low > max(1e-9 * abs(high), LEAST):
        return low, high
    return (low - 0.1 * abs(low), high + 0.1 * abs(high)) if high else (0.0, 1.0)


def marks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers in steps of 1, 2 or 5 times a power of ten, which lie between two numbers or on them."""
    if not high - low > LEAST:
        return [low]
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    sizes = (1, 2, 5, 10)
    at = next(i for i, size in enumerate(sizes) if size * power >= rough * 0.999)
    # two numbers can lie between the multiples of a step that is longer than what is between them
    return _multiples(low, high, sizes[at] * power) or _multiples(low, high, (0.5, *sizes)[at] * power)


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def number(value: float) -> str:
    """Format a number of an axis."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.3g}"
