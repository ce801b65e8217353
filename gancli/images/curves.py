"""Plot the curves of a run: terms and metrics over the images seen."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gancli.images import figures
from gancli.system import atomic
from gancli.system.untrusted.door import printable

SPEED = "images_per_second"
NOT_CURVES = ("step", "images", "seconds", SPEED)
COLUMNS = 3
MOST_PANELS = 36  # twice what the variants need; thousands could not be drawn
LONGEST_NAME, LONGEST_TITLE = 50, 100  # characters over a panel and over all of them
LARGEST = 1e100  # larger values are left out: they would overflow the axes
RAW, SMOOTH = "#9ecae1", "#08519c"
SHARE = 0.03  # of a curve: the time constant of its moving average
FEWEST = 2.0  # values that this is at least
LEAST = 10  # values of a curve that is smoothed
DECADES = 100.0  # largest over smallest value: more need a logarithmic axis

Point = tuple[int, float]  # images seen, value


def save_curves(ticks: Sequence[Mapping[str, Any]], path: Path, title: str = "") -> None:
    """Draw one panel per term, stat and metric, and one of the speed; draw nothing without ticks."""
    panels = names(ticks)
    if not panels:
        return
    panels += [SPEED] if points(ticks, SPEED) else []
    rows = -(-len(panels) // COLUMNS)
    with figures.figure(4 * COLUMNS, 2.6 * rows + 0.4 * bool(title)) as figure:
        if title:
            figure.suptitle(printable(title, LONGEST_TITLE), fontsize=14, parse_math=False)
        for i, name in enumerate(panels):
            _draw(figure.add_subplot(rows, COLUMNS, i + 1), name, points(ticks, name))
        with atomic.replacing(path) as temporary:
            figure.savefig(temporary, dpi=100)


def _draw(axes: Any, name: str, line: Sequence[Point]) -> None:
    """Draw the smoothed values of a curve over its raw values."""
    kimg, values = zip(*((images / 1000, value) for images, value in line))
    if len(values) >= LEAST:
        axes.plot(kimg, values, linewidth=0.8, color=RAW)
        axes.plot(kimg, smoothed(values), linewidth=1.6, color=SMOOTH)
    else:
        axes.plot(kimg, values, linewidth=1.6, color=SMOOTH, marker="o" if len(values) < 3 else None)
    if needs_logarithm(values):
        axes.set_yscale("log")
    axes.set_title(heading(name), fontsize=11, parse_math=False)
    axes.set_xlabel("kimg", fontsize=9)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=9)


def smoothed(values: Sequence[float]) -> list[float]:
    """Return the exponential moving average of values, each a weighted mean of those up to it.

    The weights fall by a factor of e over 3 % of all values, and sum to 1, so that the first values pull no more.
    """
    keep = 1 - 1 / max(SHARE * len(values), FEWEST)
    total = weight = 0.0
    means = []
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        means.append(total / weight)
    return means


def needs_logarithm(values: Sequence[float]) -> bool:
    """Tell whether values that are all positive span too much for a linear axis."""
    return min(values) > 0 and max(values) > DECADES * min(values)


# ------------------------------------------------------------------------------------------- what can be drawn


def counted(ticks: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Count the values of terms, stats and metrics that can be drawn, by name."""
    return Counter(name for tick in ticks for name in tick if name not in NOT_CURVES and _drawable(tick[name]))


def names(ticks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names that get a panel, sorted; if there are too many, only the most frequent ones."""
    return sorted(name for name, _ in counted(ticks).most_common(MOST_PANELS))


def points(ticks: Iterable[Mapping[str, Any]], name: str) -> list[Point]:
    """Return the images seen and the value of each tick whose value can be drawn."""
    return [(tick["images"], tick[name]) for tick in ticks if _drawable(tick.get(name))]


def heading(name: str) -> str:
    """Return a name as it stands over a panel."""
    return printable(name.replace("_", " "), LONGEST_NAME)


def _drawable(value: float | None) -> bool:
    return value is not None and abs(value) < LARGEST
