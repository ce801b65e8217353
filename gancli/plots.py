"""Curves of a run: terms and metrics over the images seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gancli import atomic, figures
from gancli.terminal import line

NOT_CURVES = ("step", "images", "seconds", "images_per_second")
COLUMNS = 3


def save_curves(ticks: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw one panel a term, stat and metric, and one of the speed; nothing when there are no ticks."""
    names = sorted({name for tick in ticks for name in tick if name not in NOT_CURVES})
    if not names:
        return
    panels = [*names, "images_per_second"]
    rows = -(-len(panels) // COLUMNS)
    with figures.figure(4 * COLUMNS, 2.6 * rows) as figure:
        for i, name in enumerate(panels):
            axes = figure.add_subplot(rows, COLUMNS, i + 1)
            known = [(tick["images"] / 1000, tick[name]) for tick in ticks if name in tick]
            kimg, values = zip(*known)
            axes.plot(kimg, values, linewidth=1.2, marker="o" if len(values) < 3 else None)
            axes.set_title(line(name.replace("_", " ")), fontsize=10, parse_math=False)
            axes.set_xlabel("kimg", fontsize=8)
            axes.grid(alpha=0.3)
            axes.tick_params(labelsize=8)
        with atomic.replacing(path) as temporary:
            figure.savefig(temporary, dpi=100)
