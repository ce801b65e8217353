"""Make a film of training from a run's sample grids, with a time bar below them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from gancli.errors import UserError
from gancli.images.animation import save_frames
from gancli.images.reading import UNREADABLE
from gancli.reporting.grids import open_grid, spread
from gancli.reporting.runs import ReportedRun, SampleGrid, read_runs
from gancli.reporting.values import kimg
from gancli.system import atomic
from gancli.system.progress import duration

KINDS = (".gif", ".webp", ".mp4")
SMALLEST, LARGEST = 480, 1440  # the longest side of a grid in a film, in pixels
MOST_PIXELS = 2**28  # of the grids of all frames, which are in memory together: 0.8 GB
MARGIN, TEXT, THICK = 12, 16, 6  # pixels
HOLD = 2.0  # seconds that the last frame stays
PAPER, INK, BAR, GROOVE = "#ffffff", "#1a1d21", "#0072b2", "#d9dde3"


def make_film(names: list[str], path: Path, most: int, fps: float) -> dict[str, Any]:
    """Write the film of a run and return what is in it. Raise UserError if there is nothing to show."""
    if len(names) != 1:
        raise UserError(f"--film {path}: a film shows one run, not {len(names)}: give one RUN")
    if path.suffix.lower() not in KINDS:
        raise UserError(f"--film {path}: a film is written as {', '.join(KINDS)}")
    atomic.check_place(path)
    (run,) = read_runs(names)
    if not run.grids:
        raise UserError(f"--film {path}: {run.folder.path} holds no sample grids")
    shown = list(_frames(run, spread(run.grids, most)))
    if not shown:
        raise UserError(f"--film {path}: no sample grid of {run.folder.path} can be read")
    about = {"variant": run.about.variant, "run": run.name, "seed": run.about.seed, "images": run.grids[-1].images}
    save_frames(shown, path, about, fps, hold=HOLD, lossless=False)
    return {"film": str(path), "frames": len(shown), "grids": len(run.grids)}


def _frames(run: ReportedRun, grids: list[SampleGrid]) -> Iterator[Image.Image]:
    """Draw the frames, all of the size of the first grid that can be read."""
    size: tuple[int, int] | None = None
    for grid in grids:
        try:
            image = open_grid(grid.path)
        except UNREADABLE:
            continue
        size = size or _size(image, len(grids))
        pixels = Image.Resampling.NEAREST if size[0] > image.width else Image.Resampling.LANCZOS
        yield _with_bar(image.resize(size, pixels), run, grid)


def _size(image: Image.Image, frames: int) -> tuple[int, int]:
    """Return the size of a grid in the film: small ones are magnified a whole number of times."""
    side = max(image.size)
    room = (MOST_PIXELS / (frames * image.width * image.height)) ** 0.5
    scale = min(-(-SMALLEST // side) if side < SMALLEST else min(LARGEST / side, 1), room)
    return max(int(image.width * scale), 1), max(int(image.height * scale), 1)


def _with_bar(image: Image.Image, run: ReportedRun, grid: SampleGrid) -> Image.Image:
    """Put a grid above a time bar and its caption."""
    last = max(run.total or 0, run.images, run.grids[-1].images)
    width, height = max(image.width, SMALLEST // 2), image.height
    frame = Image.new("RGB", (width, height + THICK + TEXT + 3 * MARGIN), PAPER)
    frame.paste(image, ((width - image.width) // 2, 0))
    pen, font = ImageDraw.Draw(frame), ImageFont.load_default(TEXT)
    top, left, right = height + MARGIN, MARGIN, width - MARGIN
    pen.rectangle((left, top, right, top + THICK), GROOVE)
    pen.rectangle((left, top, left + round((right - left) * grid.images / max(last, 1)), top + THICK), BAR)
    line = top + THICK + MARGIN // 2
    pen.text((left, line), f"{kimg(grid.images)} kimg", INK, font)
    pen.text((right, line), duration(run.seconds_at(grid.images)), INK, font, anchor="ra")
    return frame
