"""The sample grids of a report: a few over time, encoded again so that all of them fit into the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from gancli.images.reading import UNREADABLE, open_picture, upright
from gancli.images.writing import data_url
from gancli.reporting.runs import ReportedRun, SampleGrid
from gancli.system.untrusted.door import check_regular, reason

BUDGET = 3_300_000  # bytes of all images of a page: in base64 4.4 MB
MOST = 40  # grids of a run
FEWEST = 2
LARGEST, SMALLEST = 1280, 256  # the longest side of a grid, in pixels
QUALITY = 80  # of WebP
LOSSLESS = 160  # grids of a side up to this are kept exactly: they are shown magnified

_REALS = -1  # instead of images seen: the grid of training images

T = TypeVar("T")


@dataclass(frozen=True)
class Embedded:
    """An image within a page."""

    images: int  # seen by training
    seconds: float
    url: str
    width: int
    height: int


@dataclass(frozen=True)
class SampleHistory:
    """The images of one run in a page."""

    reals: Embedded | None
    samples: list[Embedded]
    of: int  # sample grids of the run
    faults: list[str]  # images that could not be read


def histories(runs: Sequence[ReportedRun]) -> list[SampleHistory]:
    """Embed the grids of all runs, within the page's bytes."""
    return [_history(run, BUDGET // len(runs)) for run in runs]


def spread(items: Sequence[T], most: int) -> list[T]:
    """Choose at most so many items, evenly, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / max(most - 1, 1))] for i in range(most)]


def open_grid(path: Path) -> Image.Image:
    """Open a grid of a run folder as RGB; raise ValueError or OSError if it is not an image of bounded size."""
    check_regular(path, follow=False)
    with open_picture(path) as image:
        return upright(image)


def _history(run: ReportedRun, budget: int) -> SampleHistory:
    """Embed a run's grids: first smaller, then fewer, until they fit."""
    reals = [SampleGrid(_REALS, run.folder.reals)] if run.folder.reals.is_file() else []
    chosen = spread(run.grids, MOST)
    trial, _ = _embedded(run, spread(run.grids, FEWEST), LARGEST)  # a guess that spares encoding all of them twice
    side = _smaller(trial, budget * len(trial) // (len(reals) + len(chosen))) if _size(trial) else LARGEST
    while True:
        shown, faults = _embedded(run, [*reals, *chosen], side)
        if _size(shown) <= budget or (side == SMALLEST and len(chosen) <= FEWEST):
            break
        if side == SMALLEST:
            chosen = spread(chosen, max(len(chosen) // 2, FEWEST))
        side = _smaller(shown, budget)
    real = next((image for image in shown if image.images == _REALS), None)
    return SampleHistory(real, [image for image in shown if image is not real], len(run.grids), faults)


def _size(shown: Sequence[Embedded]) -> int:
    """Return how many bytes images have, before base64."""
    return sum(len(image.url) * 3 // 4 for image in shown)


def _smaller(shown: Sequence[Embedded], budget: int) -> int:
    """Return the longest side with which images would fit, a little less to be sure; LARGEST if they do."""
    size, side = _size(shown), max(max(image.width, image.height) for image in shown)
    return LARGEST if size <= budget else max(SMALLEST, round(0.9 * side * (budget / size) ** 0.5))


def _embedded(run: ReportedRun, grids: Sequence[SampleGrid], side: int) -> tuple[list[Embedded], list[str]]:
    """Encode grids, and say which cannot be read."""
    shown, faults = list[Embedded](), list[str]()
    for grid in grids:
        try:
            image = open_grid(grid.path)
        except UNREADABLE as error:
            faults.append(f"{grid.path.name} cannot be read: {reason(error)}")
            continue
        lossless = max(image.size) <= min(side, LOSSLESS)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        url = data_url(image, "WEBP", quality=QUALITY, lossless=lossless, method=2)
        shown.append(Embedded(grid.images, run.seconds_at(grid.images), url, *image.size))
    return shown, faults
