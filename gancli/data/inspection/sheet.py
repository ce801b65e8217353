"""A contact sheet: a sample of the images as training sees them, by class, and the images with faults."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from gancli.data.inspection import totals
from gancli.data.inspection.facts import Facts
from gancli.data.inspection.faults import KINDS
from gancli.data.inspection.inspect import Inspection
from gancli.data.sources.decode import Item
from gancli.images.pixels import to_picture
from gancli.images.reading import decoding, to_array, upright
from gancli.system.untrusted.door import printable

CELL, GAP, LINE = 96, 8, 14  # pixels: of an image, between images, of a line of text
HEADING, ABOVE = 24, 10  # pixels of a heading, and above it
COLUMNS, ROWS = 10, 6  # of images without classes
MOST_CLASSES = 24
MARGIN = 12
INK, PALE, RED = "#1a1a1a", "#6b6b6b", "#b3202a"


class Section(NamedTuple):
    """Images under a heading, each with a caption."""

    heading: str
    images: list[tuple[str, Image.Image]]
    wrong: bool = False  # images with faults


def contact_sheet(seen: Inspection) -> Image.Image:
    """Draw a sample of the images, row by row, and then those with faults, uncropped."""
    return draw([*_samples(seen), *_faulty(seen)])


def draw(sections: Sequence[Section]) -> Image.Image:
    """Draw sections below each other, on white."""
    rows = [-(-len(section.images) // COLUMNS) for section in sections]
    height = sum(ABOVE + HEADING + row * (CELL + LINE + GAP) for row in rows) + 2 * MARGIN
    sheet = Image.new("RGB", (COLUMNS * (CELL + GAP) - GAP + 2 * MARGIN, height), "white")
    pen, top = ImageDraw.Draw(sheet), MARGIN
    large, small = (ImageFont.load_default(size) for size in (15, 10))
    for section, count in zip(sections, rows):
        top += ABOVE
        ink = RED if section.wrong else INK
        pen.text((MARGIN, top), _fitting(section.heading, large, sheet.width - 2 * MARGIN), ink, large)
        for i, (caption, image) in enumerate(section.images):
            left, down = MARGIN + i % COLUMNS * (CELL + GAP), top + HEADING + i // COLUMNS * (CELL + LINE + GAP)
            sheet.paste(image, (left + (CELL - image.width) // 2, down + (CELL - image.height) // 2))
            pen.text((left, down + CELL + 1), _fitting(caption, small, CELL), PALE, small)
        top += HEADING + count * (CELL + LINE + GAP)
    return sheet


def _samples(seen: Inspection) -> Iterator[Section]:
    """Yield the samples: a row for each class, or one block."""
    made = totals.made(seen.training)
    own = range(seen.own - seen.ignored)
    usable = [i for i in own if isinstance(seen.found[i], Facts) and seen.places[i].trains]
    groups: dict[str, list[int]] = {}
    for i in usable:
        groups.setdefault(seen.places[i].label or seen.places[i].domain, []).append(i)
    for name in sorted(groups)[:MOST_CLASSES]:
        members, most = groups[name], COLUMNS if len(groups) > 1 else COLUMNS * ROWS
        chosen = sorted({members[int(place)] for place in np.linspace(0, len(members) - 1, most)})
        images = [(_short(seen.items[i].name), _trained(seen.items[i], made)) for i in chosen]
        yield Section(f"{printable(name or seen.name)}: {len(members):,} images", images)


def _faulty(seen: Inspection) -> Iterator[Section]:
    """Yield the readable images with faults by kind, copies beside each other."""
    by_name = {item.name: item for item, one in zip(seen.items, seen.found) if isinstance(one, Facts)}
    for kind, heading in KINDS.items():
        ours = [fault for fault in seen.faults if fault.kind == kind]
        names = list(dict.fromkeys(name for fault in ours for name in fault.files if name in by_name))[:COLUMNS]
        if names:
            yield Section(
                f"{heading}: {len(ours):,}", [(_short(name), _whole(by_name[name])) for name in names], wrong=True
            )


def _trained(item: Item, made: totals.Made) -> Image.Image:
    with item.open() as image:
        pixels = to_array(image, made.size, made.channels)
    return _in_cell(to_picture(pixels.transpose(1, 2, 0)))


def _whole(item: Item) -> Image.Image:
    with item.open() as image, decoding(image):
        return _in_cell(upright(image))


def _in_cell(image: Image.Image) -> Image.Image:
    """Fit an image into a cell; the pixels of small ones are kept square."""
    times = CELL // max(image.size)
    if times < 2:
        return ImageOps.contain(image, (CELL, CELL), Image.Resampling.LANCZOS).convert("RGB")
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST).convert("RGB")


def _short(name: str) -> str:
    return printable(name.rpartition("/")[2])


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shorten a text in the middle until it fits: names often differ at their ends only."""
    shown = text
    while font.getlength(shown) > width and len(text) > 2:
        text = text[: len(text) // 2] + text[len(text) // 2 + 1 :]
        shown = f"{text[: len(text) // 2]}…{text[len(text) // 2 :]}"
    return shown
