"""Read image files of any mode, upright and within limits."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gancli.images.sizes import LARGEST_COMMON, Size
from gancli.system.untrusted.door import check_regular

LARGE = 2**22  # pixels; threads take turns with such images to limit memory
ORIENTATION = 0x0112  # the EXIF tag
MOST_PIXELS = 2**26  # in all frames of an image; larger images are refused before they take memory
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO", "AVIF", "JPEG2000")  # EPS is a program
UNREADABLE = (  # what Pillow's readers raise on bad files
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError),
    *(TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError),
)

_one_large = Lock()


def to_array(image: Image.Image, size: Size, channels: int) -> NDArray[np.uint8]:
    """Convert an image of any mode to uint8 (C, H, W): upright, centre-cropped to the aspect ratio, and resized.

    Transparency is kept with 4 channels, else composited on white. 16-bit values are scaled, not clipped.
    """
    with decoding(image):
        return _to_array(image, size, channels)


@contextmanager
def decoding(image: Image.Image) -> Iterator[None]:
    """Decode an image in the block: a much larger JPEG at reduced size, and only one large image at a time."""
    image.draft("RGB", (2 * LARGEST_COMMON, 2 * LARGEST_COMMON))
    with _one_large if image.width * image.height > LARGE else nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata
        yield


def _to_array(image: Image.Image, size: Size, channels: int) -> NDArray[np.uint8]:
    image = upright(image, keep_alpha=channels == 4)
    mode = {1: "L", 3: "RGB", 4: "RGBa"}[channels]  # RGBa: premultiplied, so that hidden colours do not bleed in
    image = _in_mode(image, mode)
    if image.size != (size[1], size[0]):
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)
    if channels == 4:
        image = image.convert("RGBA")
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def upright(image: Image.Image, *, keep_alpha: bool = False) -> Image.Image:
    """Apply the EXIF orientation and convert to RGB or RGBA; transparency that is not kept is composited on white."""
    if image.getexif().get(ORIENTATION, 1) != 1:  # a copy of a large image takes a quarter of a gigabyte
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bits(np.asarray(image, np.float32)))
    transparent = has_alpha(image)
    if keep_alpha or transparent:
        image = _in_mode(image, "RGBA")
    if transparent and not keep_alpha:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGBA" if keep_alpha else "RGB")


def has_alpha(image: Image.Image) -> bool:
    """Return whether an image may be transparent somewhere: it has an alpha channel or a transparent colour."""
    return image.mode in ("RGBA", "LA", "La", "PA", "RGBa") or "transparency" in image.info


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _to_8_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale to 8 bits from the smallest range that holds the values: [0, 1], 8 bits or 16 bits."""
    top = values.max(initial=0.0)
    full = 1.0 if top <= 1 else 255.0 if top <= 255 else 65535.0
    return (np.clip(values / full, 0, 1) * 255 + 0.5).astype(np.uint8)


def open_picture(source: Path | IO[bytes]) -> Image.Image:
    """Open an image; raise ValueError if it is no regular file, empty, or has too many pixels, before reading them."""
    if isinstance(source, Path) and source.exists():
        check_regular(source)
        if not source.stat().st_size:
            raise ValueError("the file is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF, large images and the like; real failures raise
        image = Image.open(source, formats=FORMATS)
    try:
        check_pixels(image.width * image.height)
    except ValueError:
        image.close()
        raise
    return image


def check_pixels(count: int) -> None:
    """Raise ValueError for too many pixels."""
    if count > MOST_PIXELS:
        raise ValueError(f"{count:,} pixels; at most {MOST_PIXELS:,} are read")


def open_bytes(data: bytes) -> Image.Image:
    """Open an image from the bytes of its file."""
    return open_picture(io.BytesIO(data))
