"""Plot the curves of a run: terms and metrics over the images seen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gancli.images import figures
from gancli.system import atomic
from gancli.system.untrusted.door import printable

SPEED = "images_per_second"
NOT_CURVES = ("step", "images", "seconds", SPEED)
COLUMNS = 3
MOST_PANELS = 36  # twice what the variants need; thousands could not be drawn
LONGEST_NAME = 50  # characters over a panel
LARGEST = 1e100  # larger values are left out: they would overflow the axes


def save_curves(ticks: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw one panel per term, stat and metric, and one of the speed; draw nothing without ticks."""
    panels = _panels(ticks)
    if not panels:
        return
    rows = -(-len(panels) // COLUMNS)
    with figures.figure(4 * COLUMNS, 2.6 * rows) as figure:
        for i, name in enumerate(panels):
            axes = figure.add_subplot(rows, COLUMNS, i + 1)
            kimg, values = zip(*_points(ticks, name))
            axes.plot(kimg, values, linewidth=1.2, marker="o" if len(values) < 3 else None)
            axes.set_title(printable(name.replace("_", " "), LONGEST_NAME), fontsize=10, parse_math=False)
            axes.set_xlabel("kimg", fontsize=8)
            axes.grid(alpha=0.3)
            axes.tick_params(labelsize=8)
        with atomic.replacing(path) as temporary:
            figure.savefig(temporary, dpi=100)


def _panels(ticks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names to draw, the speed last; if there are too many, only the most frequent ones."""
    often = Counter(name for tick in ticks for name in tick if name not in NOT_CURVES and _points([tick], name))
    names = sorted(name for name, _ in often.most_common(MOST_PANELS))
    return [*names, *([SPEED] if names and _points(ticks, SPEED) else [])]


def _points(ticks: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """Return kimg and value of each tick whose value can be drawn."""
    values = ((tick["images"] / 1000, tick.get(name)) for tick in ticks)
    return [(kimg, float(value)) for kimg, value in values if value is not None and abs(value) < LARGEST]
