"""Scatter plots of points, which replace image grids for point data: real points grey, generated ones coloured."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gancli.images import figures

SHOWN = 2500  # points of each kind
INCHES, DPI = 5.0, 120
GREY, COLOUR = "#a8a8a8", "#d1495b"
MARGIN = 1.25  # of the view

Points = NDArray[np.float32]  # (N, 2)


def to_points(images: Tensor) -> Points:
    """Take images of one pixel (N, 2, 1, 1) as points (N, 2)."""
    return images.detach().float().flatten(1).cpu().numpy()


def plot(fake: Points | None = None, real: Points | None = None, path: Points | None = None) -> Image.Image:
    """Plot generated points over real ones, and a path; the view is square and set by the real points only."""
    shown = next(points for points in (real, fake, path) if points is not None)
    reach = MARGIN * max(float(np.abs(shown).max()), 1e-3)
    buffer = io.BytesIO()
    with figures.figure(INCHES, INCHES) as figure:
        axes = figure.add_subplot()
        if real is not None:
            axes.scatter(*real.T, s=5, color=GREY, linewidths=0, label="real")
        if fake is not None:
            axes.scatter(*fake.T, s=5, color=COLOUR, alpha=0.5, linewidths=0, label="generated")
        if path is not None:
            axes.plot(*path.T, color=COLOUR, linewidth=1.2, marker="o", markersize=3, label="walk")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.legend(loc="upper right", fontsize=8, markerscale=2)
        axes.tick_params(labelsize=8)
        figure.savefig(buffer, format="png", dpi=DPI)
    return Image.open(buffer).convert("RGB")
