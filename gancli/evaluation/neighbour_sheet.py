"""A sheet of generated images, each beside its nearest real images."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gancli.evaluation.image_sets import ImageSet
from gancli.metrics.neighbours import Nearest

SHOWN = 12
CELL, LINE, FONT = 72, 12, 10  # pixels of an image, of the distance below it, and of its letters


def picture(fake: ImageSet, real: ImageSet, found: Nearest, scale: int = 1) -> Image.Image:
    """Show the fakes nearest to a real image, each beside its neighbours and distances; copies are marked in red.

    Everything is `scale` times as large.
    """
    cell, line, font = CELL * scale, LINE * scale, ImageFont.load_default(FONT * scale)
    worst = found.distance[:, 0].argsort()[:SHOWN]
    fakes = _picked(fake, worst.tolist())
    rows = found.row[worst]
    reals = _picked(real, rows.flatten().tolist())
    sheet = Image.new("RGB", ((rows.shape[1] + 1) * cell + line, len(worst) * (cell + line)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, row in enumerate(worst.tolist()):
        top = i * (cell + line)
        sheet.paste(_cell(fakes[row], cell), (0, top))
        for j, (other, distance) in enumerate(zip(rows[i].tolist(), found.distance[row].tolist())):
            left = (j + 1) * cell + line
            sheet.paste(_cell(reals[other], cell), (left, top))
            ink = "red" if distance < found.copy else "black"
            draw.text((left, top + cell - scale), f"{distance:.3g}", ink, font)
    return sheet


def _cell(image: Tensor, side: int) -> Image.Image:
    opened = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    zoom = side * (1 - 4 / CELL) / max(opened.size)
    smooth = Image.Resampling.LANCZOS if zoom < 1 else Image.Resampling.NEAREST
    return opened.resize((round(opened.width * zoom), round(opened.height * zoom)), smooth)


def _picked(side: ImageSet, rows: Sequence[int]) -> dict[int, Tensor]:
    """Read an image set again, and return the images at these positions."""
    wanted, found, place = set(rows), {}, 0
    for batch in side.batches(64):
        found |= {i: batch[i - place] for i in wanted if place <= i < place + len(batch)}
        place += len(batch)
        if len(found) == len(wanted):
            break
    return found
