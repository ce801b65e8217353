"""Pictures out: tensors to pixels, grids, walks, and what is written into every file of them."""

import os
import shutil
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from torch import Tensor

from gancli import atomic
from gancli.errors import UserError
from gancli.pixels import to_bytes
from gancli.untrusted import check_regular, parse_json, reading, to_json

Pixels = NDArray[np.uint8]  # (N, H, W, C)
TEXT = "gancli"  # the key of a PNG's text chunk
GAP = 2  # pixels between the pictures of a grid
SMALL = 32  # pictures with a shorter side than this are enlarged in grids, by whole factors
ANIMATED = (".gif", ".webp", ".png", ".apng")
VIDEO = (".mp4", ".webm", ".mkv")


def to_pixels(images: Tensor) -> Pixels:
    """Round images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C); what is outside of the range is clipped."""
    return to_bytes(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_picture(pixels: Pixels) -> Image.Image:
    """Make a picture of one image (H, W, C) with 1, 3 or 4 channels."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def grid(pixels: Pixels, columns: int | None = None) -> Image.Image:
    """Lay images out in rows of `columns` (as square as can be by default), on white with a gap between."""
    count, height, width, channels = pixels.shape
    columns = min(columns or int(np.ceil(np.sqrt(count))), count)
    rows = -(-count // columns)
    zoom = max(1, SMALL // min(height, width))
    pixels = pixels.repeat(zoom, 1).repeat(zoom, 2)
    cell = height * zoom + GAP, width * zoom + GAP
    sheet = np.full((rows * cell[0] + GAP, columns * cell[1] + GAP, channels), 255, np.uint8)
    for i, image in enumerate(pixels):
        top, left = (GAP + place * side for place, side in zip(divmod(i, columns), cell))
        sheet[top : top + height * zoom, left : left + width * zoom] = image
    return to_picture(sheet)


# ---------------------------------------------------------------------------------------------- files


def save_png(picture: Image.Image, path: Path, about: Mapping[str, Any]) -> None:
    """Write a PNG that says where it comes from."""
    with atomic.replacing(path) as temporary:
        picture.save(temporary, "PNG", pnginfo=png_text(about))


def read_about(path: Path) -> dict[str, Any]:
    """Read what `save_png` wrote into a picture; raises UserError when there is nothing.

    How much text a chunk may unpack to is bounded by Pillow.
    """
    check_regular(path)
    try:
        with warnings.catch_warnings(), reading(str(path)):
            warnings.simplefilter("ignore")  # of its size: no pixel is read
            with Image.open(path, formats=("PNG",)) as picture:
                return parse_json(str(picture.info.get(TEXT, "")), dict[str, Any])
    except UserError:
        raise UserError(f"{path} is not a PNG that gancli sample wrote") from None


def png_text(about: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    """Give the text chunk of a PNG that says where it comes from."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt(TEXT, provenance(about))
    return text


def provenance(about: Mapping[str, Any]) -> str:
    """Say in JSON where a picture comes from, and that it is synthetic."""
    return to_json({"synthetic": True, **about})


def save_frames(frames: Sequence[Image.Image], path: Path, about: Mapping[str, Any], fps: float = 25) -> None:
    """Write a walk by the ending of its name: .gif, .webp, .png (animated), .mp4, or a folder of PNGs.

    Raises UserError for other endings, and for video where no encoder is installed.
    """
    suffix = path.suffix.lower()
    if not suffix:
        for i, frame in enumerate(frames):
            save_png(frame, path / f"frame{i:05d}.png", {**about, "frame": i})
    elif suffix in ANIMATED:
        _save_animation(frames, path, about, fps)
    elif suffix in VIDEO:
        _save_video(frames, path, about, fps)
    else:
        raise UserError(f"--out {path}: a walk is written as {', '.join(ANIMATED + VIDEO)} or a folder")


def _save_animation(frames: Sequence[Image.Image], path: Path, about: Mapping[str, Any], fps: float) -> None:
    suffix, first = path.suffix.lower(), frames[0]
    options: dict[str, Any] = {}
    if suffix == ".gif":
        options = {"comment": provenance(about).encode()}
    elif suffix == ".webp":
        exif = Image.Exif()
        exif[0x010E] = provenance(about)  # ImageDescription
        options = {"exif": exif, "lossless": True}
    else:
        options = {"pnginfo": png_text(about), "format": "PNG"}
    with atomic.replacing(path) as temporary:
        first.save(temporary, save_all=True, append_images=frames[1:], duration=round(1000 / fps), loop=0, **options)


def _save_video(frames: Sequence[Image.Image], path: Path, about: Mapping[str, Any], fps: float) -> None:
    encoder = _installed_encoder() or _bundled_encoder()
    if encoder is None:
        raise UserError(f"--out {path}: no ffmpeg on the PATH (or pip install imageio-ffmpeg); .webp needs none")
    width, height = (side + side % 2 for side in frames[0].size)  # yuv420p wants even sides
    command = [encoder, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", str(fps), "-i", "-", "-pix_fmt", "yuv420p", "-metadata", f"comment={provenance(about)}"]
    pixels = b"".join(frame.convert("RGB").resize((width, height)).tobytes() for frame in frames)
    with atomic.replacing(path) as temporary:
        done = subprocess.run([*command, str(temporary)], input=pixels, capture_output=True, check=False)
        if done.returncode:
            raise UserError(f"--out {path}: ffmpeg failed: {done.stderr.decode(errors='replace').strip()[:200]}")


def _installed_encoder() -> str | None:
    """Find ffmpeg on the PATH, but for its parts that mean the current folder, where anyone's files may lie."""
    folders = [folder for folder in os.get_exec_path() if os.path.isabs(folder)]
    found = shutil.which("ffmpeg", path=os.pathsep.join(folders))
    return found if found and os.path.isabs(found) else None  # Windows looks into the current folder unasked


def _bundled_encoder() -> str | None:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # pyright: ignore[reportMissingImports]  an optional package
    except ImportError:
        return None
    return get_ffmpeg_exe()
