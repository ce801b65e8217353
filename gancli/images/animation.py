"""Save frames as an animation, a video or a folder."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from gancli.errors import UserError
from gancli.images.writing import png_text, provenance, save_png
from gancli.system import atomic

ANIMATED = (".gif", ".webp", ".png", ".apng")
VIDEO = (".mp4", ".webm", ".mkv")


def save_frames(
    frames: Sequence[Image.Image],
    path: Path,
    about: Mapping[str, Any],
    fps: float = 25,
    *,
    hold: float = 0.0,
    lossless: bool = True,
) -> None:
    """Save frames in the format of the file extension: .gif, .webp, .png (animated), .mp4, or a folder of PNGs.

    The last frame of an animation or video stays for `hold` more seconds; without `lossless`, a .webp may be lossy.

    Raise UserError for other extensions, and for video if no encoder is installed.
    """
    suffix = path.suffix.lower()
    check_suffix(path)
    if not suffix:
        for i, frame in enumerate(frames):
            save_png(frame, path / f"frame{i:05d}.png", {**about, "frame": i})
    elif suffix in ANIMATED:
        times = [round(1000 / fps)] * len(frames)
        times[-1] += round(1000 * hold)
        _save_animation(frames, path, about, times, lossless)
    else:
        _save_video([*frames, *[frames[-1]] * round(fps * hold)], path, about, fps)


def check_suffix(path: Path) -> None:
    """Raise UserError for the name of a file that cannot be an animation."""
    if path.suffix and path.suffix.lower() not in ANIMATED + VIDEO:
        raise UserError(f"--out {path}: an animation is written as {', '.join(ANIMATED + VIDEO)} or a folder")


def _save_animation(
    frames: Sequence[Image.Image], path: Path, about: Mapping[str, Any], times: list[int], lossless: bool
) -> None:
    suffix, first = path.suffix.lower(), frames[0]
    options: dict[str, Any] = {}
    if suffix == ".gif":
        options = {"comment": provenance(about).encode()}
    elif suffix == ".webp":
        exif = Image.Exif()
        exif[0x010E] = provenance(about)  # ImageDescription
        options = {"exif": exif, "lossless": lossless}
    else:
        options = {"pnginfo": png_text(about), "format": "PNG"}
    with atomic.replacing(path) as temporary:
        first.save(temporary, save_all=True, append_images=frames[1:], duration=times, loop=0, **options)


def _save_video(frames: Sequence[Image.Image], path: Path, about: Mapping[str, Any], fps: float) -> None:
    encoder = _installed_encoder() or _bundled_encoder()
    if encoder is None:
        raise UserError(f"{path}: no ffmpeg on the PATH (or pip install 'gancli[film]'); .webp needs none")
    width, height = (side + side % 2 for side in frames[0].size)  # yuv420p requires even sides
    command = [encoder, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", str(fps), "-i", "-", "-pix_fmt", "yuv420p", "-metadata", f"comment={provenance(about)}"]
    pixels = b"".join(frame.convert("RGB").resize((width, height)).tobytes() for frame in frames)
    with atomic.replacing(path) as temporary:
        done = subprocess.run([*command, str(temporary)], input=pixels, capture_output=True, check=False)
        if done.returncode:
            raise UserError(f"--out {path}: ffmpeg failed: {done.stderr.decode(errors='replace').strip()[:200]}")


def _installed_encoder() -> str | None:
    """Find ffmpeg on the PATH, except in the current folder, which may hold untrusted files."""
    folders = [folder for folder in os.get_exec_path() if os.path.isabs(folder)]
    found = shutil.which("ffmpeg", path=os.pathsep.join(folders))
    return found if found and os.path.isabs(found) else None  # Windows always searches the current folder


def _bundled_encoder() -> str | None:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # pyright: ignore[reportMissingImports]  an optional package
    except ImportError:
        return None
    return get_ffmpeg_exe()
