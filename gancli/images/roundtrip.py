"""Read and write users' images with alpha, colour profile, frames and metadata kept."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence
from torch import Tensor

from gancli.errors import UserError
from gancli.images.animation import ANIMATED
from gancli.images.pixels import to_floats
from gancli.images.reading import ORIENTATION, check_pixels, has_alpha, open_picture, upright
from gancli.images.sizes import parse_size
from gancli.images.writing import TEXT, png_text, provenance
from gancli.system.untrusted.door import check_regular, parse_json, reading


@dataclass(frozen=True)
class Loaded:
    """An upright image, RGB, or RGBA if it has alpha, and the metadata of its file."""

    frames: list[Image.Image]
    exif: Image.Exif = field(default_factory=Image.Exif)
    profile: bytes | None = None
    durations: list[float] = field(default_factory=list)  # milliseconds, of animations
    loop: int = 0


@dataclass(frozen=True)
class _Made:
    """The part of an image's provenance that is read again."""

    source: str | None = None


def load(source: Path | IO[bytes], size: str | None = None) -> Loaded:
    """Read an image with all frames; raise Pillow's error if it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata
        with open_picture(source) as image:
            profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
            exif = image.getexif()
            frames, durations = [], []
            for count, frame in enumerate(ImageSequence.Iterator(image), start=1):
                check_pixels(count * frame.width * frame.height)
                turned = _upright(frame)
                sides = _sides(turned.size, size)
                check_pixels(count * sides[0] * sides[1])  # --size may enlarge a small file
                frames.append(turned if sides == turned.size else turned.resize(sides, Image.Resampling.LANCZOS))
                durations.append(float(frame.info.get("duration", 0)))  # known for WebP only after decoding
            exif.pop(ORIENTATION, None)  # it was applied
            return Loaded(frames, exif, profile, durations if len(frames) > 1 else [], image.info.get("loop", 0))


def _upright(frame: Image.Image) -> Image.Image:
    return upright(frame, keep_alpha=has_alpha(frame))


def _sides(given: tuple[int, int], size: str | None) -> tuple[int, int]:
    """Return width and height for a --size of WIDTHxHEIGHT, or of N pixels along the shorter side."""
    if size is None:
        return given
    height, width = parse_size(size) or (0, 0)
    if "x" in size.lower():
        return width, height
    wide, high = (max(1, round(side * height / min(given))) for side in given)
    return wide, high


def to_tensor(image: Image.Image, channels: int) -> Tensor:
    """Convert an image to model input, (1, C, H, W) in [-1, 1]; alpha is composited on white below 4 channels."""
    if "A" in image.getbands() and channels < 4:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    array = np.array(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return to_floats(torch.from_numpy(np.ascontiguousarray(planes))[None])


def hole(mask: str, size: tuple[int, int]) -> Image.Image:
    """Read --mask for an image: x,y,w,h in pixels, or a mask image (white = fill); return "L", 255 in the hole."""
    if match := re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", mask):
        x, y, width, height = map(int, match.groups())
        if not width or not height or x >= size[0] or y >= size[1]:
            raise UserError(f"--mask {mask} lies outside the {size[0]}x{size[1]} image")
        made = Image.new("L", size)
        made.paste(255, (x, y, x + width, y + height))
        return made
    path = Path(mask)
    try:
        check_regular(path)
        with reading(mask), open_picture(path) as image:
            return ImageOps.exif_transpose(image).convert("L").resize(size).point([255 * (v > 127) for v in range(256)])
    except UserError as error:
        raise UserError(f"--mask {error}: give x,y,w,h in pixels, or a mask image") from None


def source_of(path: Path) -> str | None:
    """Return the name of the source that a saved image was made of; None if its metadata do not tell."""
    try:
        with warnings.catch_warnings(), reading(str(path)):
            warnings.simplefilter("ignore")  # of damaged metadata
            with Image.open(path, formats=("PNG", "GIF")) as image:
                said = image.info.get(TEXT) or image.info.get("comment") or "{}"
                return parse_json(said, _Made).source
    except UserError:
        return None


def save(
    frames: Sequence[Image.Image], out: Path | IO[bytes], suffix: str, loaded: Loaded, about: dict[str, Any]
) -> None:
    """Save an image, or an animation if the format allows, with the source's metadata and the provenance."""
    first, options = frames[0], _options(suffix, loaded, about)
    if len(frames) > 1:
        if suffix not in ANIMATED:
            raise OSError(f"{suffix} cannot hold an animation: give --out ending in one of {', '.join(ANIMATED)}")
        timing = {"duration": loaded.durations, "loop": loaded.loop}
        options |= {"save_all": True, "append_images": list(frames[1:]), "disposal": 2, **timing}
        if suffix == ".webp":
            options.pop("disposal")
    if suffix in (".jpg", ".jpeg") and "A" in first.getbands():
        first = Image.alpha_composite(Image.new("RGBA", first.size, "white"), first).convert("RGB")
    first.save(out, **options)


def _options(suffix: str, loaded: Loaded, about: dict[str, Any]) -> dict[str, Any]:
    formats = Image.registered_extensions()
    if suffix not in formats:
        raise OSError(f"{suffix} is not an image file extension")
    options: dict[str, Any] = {"format": "PNG" if suffix == ".apng" else formats[suffix]}
    if loaded.profile:
        options["icc_profile"] = loaded.profile
    if suffix in (".png", ".apng"):
        options["pnginfo"] = png_text(about)
    elif suffix == ".gif":
        options["comment"] = provenance(about).encode()
    if suffix in (".png", ".apng", ".jpg", ".jpeg", ".webp", ".tif", ".tiff") and len(loaded.exif):
        options["exif"] = loaded.exif
    if suffix == ".webp":
        options["lossless"] = True
    return options
