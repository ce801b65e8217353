"""What can be known about one image before training: whether it can be read, its format, its pixels."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from gancli.data.inspection.near import Thumbnail, thumbnail_of
from gancli.data.sources.decode import Item
from gancli.images.reading import ORIENTATION, UNREADABLE, decoding, has_alpha, upright
from gancli.images.sizes import Size
from gancli.system import cache
from gancli.system.untrusted.door import reason

FLAT = 2  # levels that the pixels of a single colour may differ by, as after a JPEG's rounding
STILL = ("MPO",)  # JPEGs of several pictures for one photo, which are no animations
SAME = {"MPO": "JPEG"}  # formats that have the file extension of another


@dataclass(frozen=True)
class Unreadable:
    """An image that training cannot read, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Facts:
    """An image that training can read."""

    name: str
    size: Size  # upright
    mode: str  # Pillow's
    format: str  # Pillow's; "" for rows of arrays
    turned: bool  # by its EXIF orientation
    animated: bool  # training uses its first frame
    transparent: bool  # somewhere
    plain: bool  # a single colour
    pixels: bytes  # a hash: equal for images that look the same, whatever their file formats
    thumbnail: Thumbnail | None  # None if near-duplicates cannot be compared, or a single colour

    @property
    def elongation(self) -> float:
        """The longer side over the shorter."""
        return max(self.size) / min(self.size)

    @cached_property
    def suffix(self) -> str:
        """The file extension that the format should have; the name's own if that is right."""
        given = PurePosixPath(self.name).suffix
        known = Image.registered_extensions()
        form = SAME.get(self.format, self.format)
        if not form or known.get(given.lower()) == form:
            return given
        return {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2", "PPM": ".ppm"}.get(form, f".{form.lower()}")

    @property
    def misnamed(self) -> bool:
        """Whether the file extension belongs to another format."""
        return PurePosixPath(self.name).suffix != self.suffix


def examine(item: Item) -> Facts | Unreadable:
    """Read an image as training does, and note what there is to know about it."""
    try:
        with item.open() as image:
            return _facts(item.name, image)
    except UnidentifiedImageError:
        return Unreadable(item.name, "not an image, or its beginning is damaged")
    except UNREADABLE as error:
        cache.raise_if_full(error)
        return Unreadable(item.name, reason(error)[:80])


def _facts(name: str, image: Image.Image) -> Facts:
    (width, height), mode, form = image.size, image.mode, image.format or ""
    orientation, animated = image.getexif().get(ORIENTATION, 1), _animated(image)
    if orientation >= 5:  # the sides are swapped
        width, height = height, width
    with decoding(image):
        content, shown, transparent = _decoded(image)
        values = np.asarray(content).reshape(content.width * content.height, -1)
        said = sha256(repr((content.size, content.mode)).encode())
        said.update(np.ascontiguousarray(values).data)
        plain = bool((values.max(0).astype(int) - values.min(0) <= FLAT).all())
        thumbnail = None if plain else thumbnail_of(shown)
    turned = orientation != 1
    return Facts(name, (height, width), mode, form, turned, animated, transparent, plain, said.digest(), thumbnail)


def _decoded(image: Image.Image) -> tuple[Image.Image, Image.Image, bool]:
    """Return the content (premultiplied: hidden colours do not count), the same on white, and if it is transparent."""
    if has_alpha(image):
        image = upright(image, keep_alpha=True)
        if np.asarray(image.getchannel("A")).min() < 255:
            white = Image.new("RGBA", image.size, "white")
            return image.convert("RGBa"), Image.alpha_composite(white, image).convert("RGB"), True
    shown = upright(image)
    return shown, shown, False


def _animated(image: Image.Image) -> bool:
    """Whether an image has several frames; damage in later frames does not matter to training."""
    if image.format in STILL:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except UNREADABLE:
        return False
