"""Sheets of images for people: grids enlarged by whole factors, with captions beside the images and never on them."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gancli.errors import UserError
from gancli.images.pixels import GAP, SMALL, Pixels, columns_of, grid, to_picture
from gancli.system.untrusted.door import printable

MOST_SCALE = 16
MOST_PIXELS = 2**27  # of a sheet, or of all frames of an animation
FONT_SIZES = 12, 28  # pixels: the smallest that is legible, and the largest
IMAGE_TO_FONT = 8  # height of an image over that of its caption
PAD = 3  # pixels between a caption and what is beside it
LONGEST = 40  # characters of a line
INK = "#202020"
OWN = "…±·"  # letters of Pillow's font beyond ASCII

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """How images are shown: enlarged by a whole factor, and with captions."""

    scale: int = 1
    captions: bool = False

    @property
    def said(self) -> dict[str, int | bool]:
        """Return its entries in the metadata of an image: none for images as they are."""
        return ({"scale": self.scale} if self.scale > 1 else {}) | ({"captions": True} if self.captions else {})

    def __post_init__(self) -> None:
        if not 1 <= self.scale <= MOST_SCALE:
            raise UserError(f"--scale {self.scale} is not allowed: give a whole number from 1 to {MOST_SCALE}")


@dataclass(frozen=True)
class Captions:
    """The captions of a sheet; an empty tuple stands for none. A caption may have several lines."""

    rows: tuple[str, ...] = ()  # left of each row
    columns: tuple[str, ...] = ()  # above each column
    cells: tuple[str, ...] = ()  # below each image


PLAIN, NONE = View(), Captions()


def class_caption(name: str) -> str:
    """Return the caption of a class; a number needs a word."""
    return f"class {name}" if name.isdecimal() else name


def check_plot(view: View) -> None:
    """Raise UserError for captions on a plot of points, which has a title and a legend."""
    if view.captions:
        raise UserError("--captions: a plot of points has no cells, but a title and a legend; leave it out")


# ---------------------------------------------------------------------------------------------- drawing


def sheet(pixels: Pixels, columns: int | None = None, captions: Captions = NONE, view: View = PLAIN) -> Image.Image:
    """Lay images (N, H, W, C) out as `pixels.grid` does, every pixel `scale` times as large, with captions if asked."""
    if not view.captions:
        return enlarged(grid(pixels, columns), view.scale)
    columns = columns_of(len(pixels), columns)
    zoom = max(1, SMALL // min(pixels.shape[1:3])) * view.scale
    layout = _Layout.of(
        len(pixels), columns, pixels.shape[1] * zoom, pixels.shape[2] * zoom, GAP * view.scale, captions
    )
    made = _blank(layout.size, to_picture(pixels[0]).mode)
    for i, image in enumerate(pixels):
        made.paste(enlarged(to_picture(image), zoom), layout.image(i)[:2])
    layout.write(ImageDraw.Draw(made))
    return made


def single(picture: Image.Image, caption: str, view: View) -> Image.Image:
    """Enlarge one image, without a frame, and put its caption below it."""
    return frames([picture], [caption], view)[0]


def frames(pictures: Sequence[Image.Image], captions: Sequence[str], view: View) -> list[Image.Image]:
    """Enlarge images of one size, and put the caption of each below it; the results have one size, too."""
    width, height = (side * view.scale for side in pictures[0].size)
    _check(width, height, len(pictures))
    large = (enlarged(picture, view.scale) for picture in pictures)
    if not view.captions:
        return list(large)
    texts = [_shown(caption) for caption in captions]
    size = _font_size(height)
    wide = max(width, *(_extent(text, size)[0] for text in texts))
    size_ = wide, height + PAD + max(_extent(text, size)[1] for text in texts)
    _check(*size_, len(pictures))
    return [_captioned(picture, text, size, size_) for picture, text in zip(large, texts)]


def side_by_side(pictures: Sequence[Image.Image], names: Sequence[str], view: View) -> Image.Image:
    """Put images of one height beside each other, enlarged, each below its name if captions are asked for."""
    named = [_under(enlarged(picture, view.scale), name, view) for picture, name in zip(pictures, names)]
    width, height = sum(picture.width for picture in named), named[0].height
    strip = _blank((width, height), named[0].mode)
    left = 0
    for picture in named:
        strip.paste(picture, (left, 0))
        left += picture.width
    return strip


def enlarged(picture: Image.Image, scale: int) -> Image.Image:
    """Repeat every pixel `scale` times along both axes; raise UserError for too large a result."""
    if scale == 1:
        return picture
    _check(picture.width * scale, picture.height * scale)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def _captioned(picture: Image.Image, text: str, font: int, size: tuple[int, int]) -> Image.Image:
    made = _blank(size, picture.mode)
    made.paste(picture, ((size[0] - picture.width) // 2, 0))
    _write(ImageDraw.Draw(made), text, font, (0, picture.height + PAD, size[0], size[1]), "centre")
    return made


def _under(picture: Image.Image, name: str, view: View) -> Image.Image:
    """Put an image below its name, at least as wide as that."""
    if not view.captions:
        return picture
    font = _font_size(picture.height)
    width, height = _extent(name, font)
    made = _blank((max(picture.width, width + 2 * PAD), picture.height + height + 2 * PAD), picture.mode)
    made.paste(picture, ((made.width - picture.width) // 2, height + 2 * PAD))
    _write(ImageDraw.Draw(made), name, font, (0, PAD, made.width, PAD + height), "centre")
    return made


def _blank(size: tuple[int, int], mode: str) -> Image.Image:
    return Image.new(mode, size, "white")


def _check(width: int, height: int, count: int = 1) -> None:
    """Raise UserError for too many pixels, before they are made."""
    if width * height * count > MOST_PIXELS:
        what = f"{count} frames of " if count > 1 else ""
        raise UserError(
            f"--scale: {what}{width}x{height} pixels are too many, at most {MOST_PIXELS // 10**6} million are written: "
            "give a smaller one, or fewer images"
        )


# ----------------------------------------------------------------------------------------------- layout


@dataclass(frozen=True)
class _Layout:
    """Where the images and captions of a sheet stand."""

    captions: Captions  # as they are shown
    font: int
    image_size: tuple[int, int]  # width, height
    lefts: tuple[int, ...]  # of columns, and the right end of the last
    tops: tuple[int, ...]  # of rows, and the bottom of the last
    gap: int

    @classmethod
    def of(cls, count: int, columns: int, height: int, width: int, gap: int, given: Captions) -> "_Layout":
        """Make room for images of a size, and for their captions."""
        captions = Captions(*(tuple(map(_shown, texts)) for texts in (given.rows, given.columns, given.cells)))
        font = _font_size(height)
        pitch = gap + max(width, *(_extent(text, font)[0] + PAD for text in (*captions.columns, *captions.cells)), 0)
        left = max((_extent(text, font)[0] + 2 * PAD for text in captions.rows), default=0)
        top = max((_extent(text, font)[1] + PAD for text in captions.columns), default=0)
        lefts = [left + gap + i * pitch for i in range(columns + 1)]
        tops = [top + gap]
        for start in range(0, count, columns):
            texts = [text for text in captions.cells[start : start + columns] if text]
            below = max((_extent(text, font)[1] + PAD for text in texts), default=0)
            tops.append(tops[-1] + height + below + gap)
        return cls(captions, font, (width, height), tuple(lefts), tuple(tops), gap)

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height; raise UserError if they are too large."""
        _check(self.lefts[-1], self.tops[-1])
        return self.lefts[-1], self.tops[-1]

    def image(self, index: int) -> Box:
        """Return where an image stands: in the middle of its column."""
        row, column = divmod(index, len(self.lefts) - 1)
        width, height = self.image_size
        left = (self.lefts[column] + self.lefts[column + 1] - self.gap - width) // 2
        return left, self.tops[row], left + width, self.tops[row] + height

    def write(self, draw: ImageDraw.ImageDraw) -> None:
        """Write all captions."""
        for i, text in enumerate(self.captions.columns):
            _write(draw, text, self.font, (self.lefts[i], 0, self.lefts[i + 1] - self.gap, self.tops[0]), "centre")
        for i, text in enumerate(self.captions.rows):
            top = self.tops[i]
            box = PAD, top, self.lefts[0] - self.gap - PAD, top + self.image_size[1]
            _write(draw, text, self.font, box, "right")
        for i, text in enumerate(self.captions.cells):
            row, column = divmod(i, len(self.lefts) - 1)
            top = self.tops[row] + self.image_size[1]
            box = self.lefts[column], top, self.lefts[column + 1] - self.gap, self.tops[row + 1] - self.gap
            _write(draw, text, self.font, box, "centre")


# ------------------------------------------------------------------------------------------------ letters


def _font_size(height: int) -> int:
    """Return the size of the captions of images of a height."""
    return min(max(height // IMAGE_TO_FONT, FONT_SIZES[0]), FONT_SIZES[1])


def _shown(caption: str) -> str:
    """Return a caption whose lines are safe and short: class names come from files of others."""
    return "\n".join(printable(line, LONGEST) for line in caption.split("\n"))


def _write(draw: ImageDraw.ImageDraw, text: str, size: int, box: Box, align: str) -> None:
    """Write lines in the vertical middle of a box, which is large enough."""
    left, top, right, bottom = box
    y = (top + bottom - _extent(text, size)[1]) // 2
    for line in text.split("\n"):
        free = right - left - _extent(line, size)[0]
        draw.text((left + (free if align == "right" else free // 2), y), line, INK, _font(line, size))
        y += _line_height(size)


@cache
def _extent(text: str, size: int) -> tuple[int, int]:
    """Return width and height of lines, in whole pixels."""
    lines = text.split("\n")
    return max(int(np.ceil(_font(line, size).getlength(line))) for line in lines), len(lines) * _line_height(size)


def _line_height(size: int) -> int:
    return size + size // 3


def _font(text: str, size: int) -> Font:
    """Return Pillow's own font; for letters beyond ASCII, which it lacks, the one that comes with matplotlib."""
    return _pillows(size) if all(letter.isascii() or letter in OWN for letter in text) else _matplotlibs(size)


@cache
def _pillows(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _matplotlibs(size: int) -> Font:
    found = importlib.util.find_spec("matplotlib")
    folder = Path(str(found and found.origin)).parent
    return ImageFont.truetype(folder / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", size)
