"""A sheet of generated images, each beside its nearest real images."""

from collections.abc import Sequence

from PIL import Image, ImageDraw
from torch import Tensor

from gancli.evaluation.image_sets import ImageSet
from gancli.metrics.neighbours import Nearest

SHOWN = 12
CELL, LINE = 72, 12  # pixels of an image, and of the distance below it


def picture(fake: ImageSet, real: ImageSet, found: Nearest) -> Image.Image:
    """Show the fakes nearest to a real image, each beside its neighbours and distances; copies are marked in red."""
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


def _picked(side: ImageSet, rows: Sequence[int]) -> dict[int, Tensor]:
    """Read an image set again, and return the images at these positions."""
    wanted, found, place = set(rows), {}, 0
    for batch in side.batches(64):
        found |= {i: batch[i - place] for i in wanted if place <= i < place + len(batch)}
        place += len(batch)
        if len(found) == len(wanted):
            break
    return found
