"""Images from trained models: one a seed, or walks between them."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gancli import atomic, images, latents, models, photos, scatter
from gancli.devices import choose_device
from gancli.errors import UserError
from gancli.gan import GAN, Classes, Encodes, Samples, Truncates, each_class
from gancli.seeds import seed_all

MOST_SEEDS = 1_000_000
ALL = "all"  # in place of a class: every one of them
SEEDS = (0, 1, 2, 3)  # of a walk
PLANE_DRAWS = 50_000  # from the prior, to find its quantiles


@dataclass(frozen=True)
class SampleRequest:
    """What to draw."""

    model: str
    seeds: tuple[int, ...]
    truncation: float | None = None
    columns: int | None = None
    bare: bool = False  # one image as it is, without the frame of a grid
    of_class: str | None = None  # a name, or ALL: every seed once a class


@dataclass(frozen=True)
class Walk:
    """Which way to go."""

    seeds: tuple[int, ...] | None  # None: wherever it is best to begin
    photos: tuple[Path, ...]
    frames: int
    mode: str
    axis: int | None
    reach: float
    grid: bool
    strip: bool
    loop: bool
    fps: float
    classes: str | None = None  # NAME, NAME:NAME:…, or ALL


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


# ------------------------------------------------------------------------------------------------ drawing


def sample(request: SampleRequest, out: Path, device: str, *, best: bool = False) -> list[Path]:
    """Draw images and write them as `out` says: one grid, an array, or a folder of files. Returns what it wrote."""
    kind = _kind_of(out)
    model, gan = _load(request.model, best)
    z = latents_of(gan, request.seeds, request.truncation)  # drawn before the move: on the CPU, whatever the device
    z = _with_class(gan, model, z, request.of_class)
    labels = gan.label_of(z).numpy() if isinstance(gan, Classes) else np.full(len(z), -1)
    gan = gan.to(choose_device(device))
    about = _about(model) | {"truncation": request.truncation, "class": request.of_class}
    if gan.spec.points:
        return _save_points(gan, z, request, out, about)
    pixels = draw(gan, z)
    if kind == "npz":
        with atomic.replacing(out) as temporary:
            np.savez_compressed(temporary, images=pixels, labels=labels)
        return [out]
    if kind == "grid":
        a_row_a_class = len(request.seeds) if request.of_class == ALL else None
        said = about | {"seeds": list(request.seeds), "columns": request.columns, "bare": request.bare}
        sheet = images.grid(pixels, request.columns or a_row_a_class)
        images.save_png(images.to_picture(pixels[0]) if request.bare else sheet, out, said)
        return [out]
    return _save_each(request, gan, pixels, labels, out, about)


def _save_each(
    request: SampleRequest, gan: GAN[Any], pixels: images.Pixels, labels: NDArray, out: Path, about: dict[str, Any]
) -> list[Path]:
    """Write a file a seed, or a file a class and seed."""
    written = []
    seeds = request.seeds * (len(pixels) // len(request.seeds))
    for seed, label, image in zip(seeds, labels, pixels):
        said = about | {"seeds": [seed], "columns": None, "bare": True}
        path = out / f"seed{seed:05d}.png"
        if request.of_class == ALL:
            said["class"] = cast(Classes, gan).classes[label]
            path = out / f"class{label:03d}-seed{seed:05d}.png"
        images.save_png(images.to_picture(image), path, said)
        written.append(path)
    return written


def _save_points(gan: GAN[Any], z: Tensor, request: SampleRequest, out: Path, about: dict[str, Any]) -> list[Path]:
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


def _with_class(gan: GAN[Any], model: models.Model, z: Tensor, name: str | None) -> Tensor:
    """Give latents (N, Z) the class of that name, or every class in turn (K * N, Z)."""
    if name is None:
        return z
    known = _classes_of(gan, model)
    return each_class(known, z) if name == ALL else known.of_class(z, torch.full((len(z),), label_named(known, name)))


def _classes_of(gan: GAN[Any], model: models.Model) -> Classes:
    if not isinstance(gan, Classes):
        raise UserError(f"--class: {model.about.variant} draws no classes, it was trained without labels")
    return gan


def label_named(gan: Classes, name: str) -> int:
    """Find a class by its name; raises UserError that lists them for an unknown one."""
    if name not in gan.classes:
        raise UserError(f"--class {name}: there is {', '.join(gan.classes)} and {ALL}")
    return gan.classes.index(name)


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
    z, columns = _path(walk, gan, model)
    gan = gan.to(choose_device(device))
    said = {name: value for name, value in vars(walk).items() if name != "fps"}
    about = _about(model) | {"walk": said | {"photos": [path.name for path in walk.photos]}}
    if gan.spec.points:
        images.save_png(scatter.plot(path=points_of(gan, z)), out, about)
        return out
    pixels = draw(gan, z)
    if still:
        images.save_png(images.grid(pixels, columns), out, about)
    else:
        images.save_frames([images.to_picture(image) for image in pixels], out, about, walk.fps)
    return out


def _over_classes(walk: Walk, gan: Classes, stops: Tensor) -> tuple[Tensor, Walk]:
    """One class: all stops get it. Several: the stops are these classes, at the noise of the first seed."""
    text = str(walk.classes)
    names = list(gan.classes) if text == ALL else [text] if text in gan.classes else text.split(":")
    labels = torch.tensor([label_named(gan, name) for name in names])
    if len(names) == 1:
        return gan.of_class(stops, labels.expand(len(stops))), walk
    if walk.grid or walk.axis is not None:
        raise UserError(f"--class {text} is a way of its own: with --grid or --axis, give one class")
    # straight: on an arc the noise, which all stops share, would not stay what it is
    return gan.of_class(stops[:1].repeat(len(names), 1), labels), dataclasses.replace(walk, mode="lerp")


def _path(walk: Walk, gan: GAN[Any], model: models.Model) -> tuple[Tensor, int | None]:
    """The latents of all frames (T, Z), and the columns of a still picture of them."""
    stops = _stops(walk, gan)
    if walk.classes is not None:
        stops, walk = _over_classes(walk, _classes_of(gan, model), stops)
    if walk.grid:
        return _still(walk, gan, stops)
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
        raise UserError("a walk needs two stops or more, such as --seeds 3,8,21 or --images a.png b.png")
    return latents.walk(stops, walk.frames, walk.mode), walk.frames


def _still(walk: Walk, gan: GAN[Any], stops: Tensor) -> tuple[Tensor, int]:
    """The latents of a square grid: of the whole plane of a 2-D latent, or between four stops."""
    side = max(2, round(walk.frames**0.5))
    if stops.shape[1] == 2 and walk.seeds is None and not walk.photos:
        return plane(gan, side), side
    if len(stops) != 4:
        raise UserError(f"--grid goes between four seeds or images, one a corner, not {len(stops)}")
    left, right = (latents.walk(stops[[i, i + 2]], side, walk.mode) for i in (0, 1))
    rows = [latents.walk(torch.stack(ends), side, walk.mode) for ends in zip(left, right)]
    return torch.cat(rows), side


@torch.no_grad()
def _stops(walk: Walk, gan: GAN[Any]) -> Tensor:
    """The latents (S, Z) of the images or seeds that the walk passes."""
    if not walk.photos:
        return latents_of(gan, SEEDS if walk.seeds is None else walk.seeds)
    if walk.seeds is not None:
        raise UserError("--images and --seeds both say where to walk: give one")
    if not isinstance(gan, Encodes):
        able = ", ".join(models.able(Encodes))
        raise UserError(f"--images: {type(gan).__name__} cannot read latents off images; these can: {able}")
    return gan.encode(photos.read(walk.photos, gan.spec))


def plane(gan: GAN[Any], side: int) -> Tensor:
    """Give a 2-D latent's plane as a grid (side * side, 2), from the top left: the prior's quantiles along both axes.

    Each column, and each row, stands for as much of what the model draws as any other.
    """
    seed_all("plane")
    drawn = cast(Samples, gan).prior(PLANE_DRAWS)
    x, y = drawn.quantile((torch.arange(side) + 0.5) / side, dim=0).unbind(1)
    return torch.cartesian_prod(y.flip(0), x).flip(1)
