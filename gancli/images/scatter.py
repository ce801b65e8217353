"""Plots of points, which replace image grids for point data: real points grey, generated ones coloured."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gancli.images import figures
from gancli.system.untrusted.door import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 2500  # points of each kind
INCHES, DPI = 5.0, 120
GREY, COLOUR = "#a8a8a8", "#d1495b"
MARGIN = 1.25  # of the view
LONGEST_TITLE = 60  # characters

Points = NDArray[np.float32]  # (N, 2)


@dataclass(frozen=True)
class Background:
    """What all plots of a data set have in common: the real points behind, and a square view."""

    points: Points | None
    reach: float  # of the view, from 0 along both axes

    @classmethod
    def of(cls, real: Points) -> "Background":
        """Show some of the real points; all of them set the view, so that it is the same in every plot."""
        return cls(real[:SHOWN], _reach(real))


@dataclass(frozen=True)
class Trace:
    """Points along a path, or the nodes of a mesh with so many columns."""

    points: Points
    columns: int | None = None

    def lines(self) -> list[Points]:
        """Return the path, or the rows and columns of the mesh."""
        if self.columns is None:
            return [self.points]
        mesh = self.points.reshape(-1, self.columns, 2)
        return [*mesh, *mesh.transpose(1, 0, 2)]


@dataclass(frozen=True)
class Plot:
    """What a plot shows; without a background, the view is set by the points themselves."""

    title: str = ""
    behind: Background | None = None
    fake: Points | None = None
    walk: Trace | None = None
    scale: int = 1  # pixels along both axes, as a factor

    @property
    def view(self) -> float:
        """Return how far the view reaches from 0."""
        shown = self.fake if self.walk is None else self.walk.points
        return self.behind.reach if self.behind else _reach(shown)


def to_points(images: Tensor) -> Points:
    """Take images of one pixel (N, 2, 1, 1) as points (N, 2)."""
    return images.detach().float().flatten(1).cpu().numpy()


def draw(plot: Plot) -> Image.Image:
    """Plot generated points or a walk over real points."""
    buffer = io.BytesIO()
    with figures.figure(INCHES, INCHES) as figure:
        axes = figure.add_subplot()
        if plot.behind is not None and plot.behind.points is not None:
            axes.scatter(*plot.behind.points.T, s=5, color=GREY, linewidths=0, label="real")
        if plot.fake is not None:
            axes.scatter(*plot.fake.T, s=5, color=COLOUR, alpha=0.5, linewidths=0, label="generated")
        if plot.walk is not None:
            _draw_walk(axes, plot.walk)
        reach = plot.view
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.set_title(printable(plot.title, LONGEST_TITLE), fontsize=11, parse_math=False)
        axes.legend(loc="upper right", fontsize=9, markerscale=1.5)
        axes.tick_params(labelsize=9)
        figure.savefig(buffer, format="png", dpi=DPI * plot.scale)
    return Image.open(buffer).convert("RGB")


def _draw_walk(axes: "Axes", walk: Trace) -> None:
    """Draw a path with a mark at each frame and at its start, or the lines of a mesh."""
    mesh = walk.columns is not None
    style: dict[str, Any] = {"linewidth": 0.9} if mesh else {"linewidth": 1.2, "marker": "o", "markersize": 3}
    for i, line in enumerate(walk.lines()):
        label = "_" if i else "mesh of latents" if mesh else "walk"
        axes.plot(*line.T, color=COLOUR, label=label, **style)
    if not mesh:
        axes.plot(*walk.points[0], color=COLOUR, marker="s", markersize=5, linestyle="", label="start")


def _reach(points: Points | None) -> float:
    return MARGIN * max(float(np.abs(points).max()) if points is not None else 0.0, 1e-3)
