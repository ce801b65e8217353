"""Images from trained models: one a seed, or walks between them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gancli import atomic, images, latents, models, scatter
from gancli.errors import UserError
from gancli.gan import GAN, Samples, Truncates
from gancli.launch import choose_device
from gancli.seeds import seed_all

MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class Request:
    """What to draw."""

    model: str
    seeds: tuple[int, ...]
    truncation: float | None = None
    columns: int | None = None


@dataclass(frozen=True)
class Walk:
    """Which way to go."""

    seeds: tuple[int, ...]
    frames: int
    mode: str
    axis: int | None
    reach: float
    grid: bool
    strip: bool
    loop: bool
    fps: float


def parse_seeds(text: str | None, n: int) -> tuple[int, ...]:
    """Read `0-15,40` as seeds, or give 0 to n - 1; raises UserError for anything else."""
    if text is None:
        return tuple(range(n))
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,12})(?:\s*-\s*(\d{1,12}))?\s*", part)
        if not match or int(match[2] or match[1]) - int(match[1]) not in range(MOST_SEEDS):
            raise UserError(f"--seeds {text}: give numbers and ranges such as 0-15,40")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(seeds)


def repeat(picture: Path, model: str | None) -> Request:
    """Read from a PNG what to draw to get it again; raises UserError when its model is not there or has changed."""
    about = images.read_about(picture)
    try:
        request = Request(model or about["model"], tuple(about["seeds"]), about["truncation"], about["columns"])
        wanted = about["sha256"]
    except (KeyError, TypeError):
        raise UserError(f"{picture} does not say which seeds drew it: --like takes what gancli sample wrote") from None
    found = models.find(request.model)
    if found.fingerprint != wanted:
        raise UserError(
            f"{picture} was drawn by checkpoint {wanted}, {found.path} is {found.fingerprint}: name its MODEL"
        )
    return request


# ------------------------------------------------------------------------------------------------ drawing


def sample(request: Request, out: Path, device: str, *, best: bool = False) -> list[Path]:
    """Draw images and write them as `out` says: one grid, an array, or a folder of files. Returns what it wrote."""
    kind = _kind_of(out)
    model, gan = _load(request.model, best)
    z = latents_of(gan, request.seeds, request.truncation)  # drawn before the move: on the CPU, whatever the device
    gan = gan.to(choose_device(device))
    about = _about(model) | {"truncation": request.truncation, "class": None}
    if gan.spec.points:
        return _save_points(gan, z, request, out, about)
    pixels = draw(gan, z)
    if kind == "npz":
        with atomic.replacing(out) as temporary:
            np.savez_compressed(temporary, images=pixels, labels=np.full(len(pixels), -1))
        return [out]
    if kind == "grid":
        said = about | {"seeds": list(request.seeds), "columns": request.columns}
        images.save_png(images.grid(pixels, request.columns), out, said)
        return [out]
    written = []
    for seed, image in zip(request.seeds, pixels):
        path = out / f"seed{seed:05d}.png"
        images.save_png(images.to_picture(image), path, about | {"seeds": [seed], "columns": 1, "single": True})
        written.append(path)
    return written


def _save_points(gan: GAN[Any], z: Tensor, request: Request, out: Path, about: dict[str, Any]) -> list[Path]:
    """Write points as a scatter plot, or as an array `points` float32 (N, 2)."""
    drawn = points_of(gan, z)
    if _kind_of(out) == "npz":
        with atomic.replacing(out) as temporary:
            np.savez_compressed(temporary, points=drawn)
    elif _kind_of(out) == "grid":
        said = about | {"seeds": list(request.seeds), "columns": request.columns}
        images.save_png(scatter.plot(drawn), out, said)
    else:
        raise UserError(f"--out {out}: points are drawn together: give a .png (a scatter plot) or an .npz")
    return [out]


@torch.inference_mode()
def points_of(gan: GAN[Any], z: Tensor) -> scatter.Points:
    """Draw the point of each latent (N, Z) by itself, for the reason that `draw` has: (N, 2)."""
    generate = cast(Samples, gan).generate
    return np.concatenate([scatter.to_points(generate(row[None].to(gan.device))) for row in z])


def _kind_of(out: Path) -> str:
    suffix = out.suffix.lower()
    if suffix in ("", ".png", ".npz"):
        return {"": "folder", ".png": "grid", ".npz": "npz"}[suffix]
    raise UserError(f"--out {out}: give a .png (one grid), an .npz, or a folder (a file a seed)")


def _about(model: models.Model) -> dict[str, Any]:
    return {"variant": model.about.variant, "model": str(model.path), "sha256": model.fingerprint}


def _load(name: str, best: bool) -> tuple[models.Model, GAN[Any]]:
    model = models.find(name, best=best)
    gan = models.load(model)
    if not isinstance(gan, Samples):
        raise UserError(f"{model.about.variant} does not draw from latents")
    return model, gan


def latents_of(gan: GAN[Any], seeds: Sequence[int], truncation: float | None = None) -> Tensor:
    """Draw the latent of each seed (N, Z), on its own: it depends on nothing but the seed and the truncation.

    Raises UserError when the model cannot truncate, or not that far.
    """
    if truncation is not None and not isinstance(gan, Truncates):
        raise UserError(f"--truncation: {type(gan).__name__} has no truncation")
    if truncation is not None and truncation < 0.01:
        raise UserError(f"--truncation {truncation} leaves nothing to draw: at least 0.01")
    drawn = []
    for seed in seeds:
        seed_all("latent", seed)
        z = cast(Samples, gan).prior(1) if truncation is None else cast(Truncates, gan).truncated(1, truncation)
        drawn.append(z)
    return torch.cat(drawn)


@torch.inference_mode()
def draw(gan: GAN[Any], z: Tensor) -> images.Pixels:
    """Draw the image of each latent (N, Z) by itself, as uint8 (N, H, W, C).

    One at a time: how a batch is summed depends on its size, and a seed must mean the same bytes in any.
    """
    generate = cast(Samples, gan).generate
    return np.concatenate([images.to_pixels(generate(row[None].to(gan.device))) for row in z])


# ------------------------------------------------------------------------------------------------- walks


def interpolate(name: str, walk: Walk, out: Path | None, device: str, *, best: bool = False) -> Path:
    """Draw a walk and write it; returns where."""
    model, gan = _load(name, best)
    still = walk.grid or walk.strip or gan.spec.points
    out = out or Path("walk.png" if still else "walk.gif")
    if still and out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: a grid, a strip or a walk among points is written as a .png")
    z, columns = _path(walk, latents_of(gan, walk.seeds))
    gan = gan.to(choose_device(device))
    about = _about(model) | {"walk": {name: value for name, value in vars(walk).items() if name != "fps"}}
    if gan.spec.points:
        images.save_png(scatter.plot(path=points_of(gan, z)), out, about)
        return out
    pixels = draw(gan, z)
    if still:
        images.save_png(images.grid(pixels, columns), out, about)
    else:
        images.save_frames([images.to_picture(image) for image in pixels], out, about, walk.fps)
    return out


def _path(walk: Walk, stops: Tensor) -> tuple[Tensor, int | None]:
    """The latents of all frames (T, Z), and the columns of a still picture of them."""
    if walk.grid:
        if len(stops) != 4:
            raise UserError(f"--grid goes between four seeds, one a corner, not {len(stops)}")
        side = max(2, round(walk.frames**0.5))
        left, right = (latents.walk(stops[[i, i + 2]], side, walk.mode) for i in (0, 1))
        rows = [latents.walk(torch.stack(ends), side, walk.mode) for ends in zip(left, right)]
        return torch.cat(rows), side
    if walk.axis is not None:
        size = stops.shape[1]
        if walk.axis >= size:
            raise UserError(f"--axis {walk.axis}: this model's latents have axes 0 to {size - 1}")
        z = stops[:1].repeat(walk.frames, 1)
        z[:, walk.axis] = torch.linspace(-walk.reach, walk.reach, walk.frames)
        return z, walk.frames
    if walk.loop:
        stops = torch.cat([stops, stops[:1]])
    if len(stops) < 2:
        raise UserError("a walk needs two seeds or more, such as --seeds 3,8,21")
    return latents.walk(stops, walk.frames, walk.mode), walk.frames
