"""The real images nearest to generated ones: does a model draw, or replay what it was trained on?"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from gancli.metrics.prdc import distances, radii
from gancli.metrics.sides import Side

NEAR = 0.1  # of the median distance of reals to their nearest: closer than that is a copy
SHOWN, NEIGHBOURS = 12, 4
CELL, LINE = 72, 12  # pixels of a picture, and of the distance below it


class Nearest(NamedTuple):
    """The nearest reals of some fakes: distances and rows (N, k), and what distance makes a copy."""

    distance: Tensor
    row: Tensor
    copy: float

    @property
    def copies(self) -> float:
        """The share of fakes that are copies of a real image."""
        return float((self.distance[:, 0] < self.copy).double().mean())


def nearest(fake: Tensor, real: Tensor, k: int = NEIGHBOURS) -> Nearest:
    """Find them in features (N, D) and (M, D)."""
    k = min(k, len(real))
    found = [block.topk(k, largest=False) for block in distances(fake, real)]
    distance, row = (torch.cat(parts) for parts in zip(*found))
    return Nearest(distance, row, NEAR * float(radii(real, 1).median()))


def picture(fake: Side, real: Side, found: Nearest) -> Image.Image:
    """Lay out the fakes nearest to a real, each beside its neighbours with their distances; copies are in red."""
    worst = found.distance[:, 0].argsort()[:SHOWN]
    fakes = _picked(fake, worst.tolist())
    rows = found.row[worst]
    reals = _picked(real, rows.flatten().tolist())
    sheet = Image.new("RGB", ((rows.shape[1] + 1) * CELL + LINE, len(worst) * (CELL + LINE)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, row in enumerate(worst.tolist()):
        top = i * (CELL + LINE)
        sheet.paste(_cell(fakes[row]), (0, top))
        for j, (other, distance) in enumerate(zip(rows[i].tolist(), found.distance[row].tolist())):
            left = (j + 1) * CELL + LINE
            sheet.paste(_cell(reals[other]), (left, top))
            draw.text((left, top + CELL - 1), f"{distance:.3g}", "red" if distance < found.copy else "black")
    return sheet


def _cell(image: Tensor) -> Image.Image:
    opened = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    scale = (CELL - 4) / max(opened.size)
    smooth = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    return opened.resize((round(opened.width * scale), round(opened.height * scale)), smooth)


def _picked(side: Side, rows: Sequence[int]) -> dict[int, Tensor]:
    """Read a side again, and keep the images of these rows."""
    wanted, found, place = set(rows), {}, 0
    for batch in side.batches(64):
        found |= {i: batch[i - place] for i in wanted if place <= i < place + len(batch)}
        place += len(batch)
        if len(found) == len(wanted):
            break
    return found
