"""Interpolate between latents, or between images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gancli import registry
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN, Appends, Classes, Encodes
from gancli.images import scatter
from gancli.images.animation import save_frames
from gancli.images.pixels import grid, to_picture
from gancli.images.writing import save_png
from gancli.inference import user_images
from gancli.inference.sampling import paths
from gancli.inference.sampling.draw import (
    ALL,
    classes_of,
    draw,
    label_named,
    load_sampler,
    origin_of,
    plane,
    points_of,
)
from gancli.inference.sampling.truncation import chooser, truncated
from gancli.system.devices import choose_device

SEEDS = (0, 1, 2, 3)  # of a walk, by default


@dataclass(frozen=True)
class Walk:
    """The options of a walk through the latent space."""

    seeds: tuple[int, ...] | None  # None stands for SEEDS, or for the whole plane of a 2-D latent
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
    truncation: float | None = None  # of the stops that come from seeds


def interpolate(name: str, walk: Walk, out: Path | None, device: str, *, best: bool = False) -> Path:
    """Generate the images of a walk and write them; return the path of the file."""
    model, gan = load_sampler(name, best)
    still = walk.grid or walk.strip or gan.spec.points
    out = out or Path("walk.png" if still else "walk.gif")
    if still and out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: a grid, a strip or a walk of a point model is written as .png: give a .png file")
    z, columns = _path(walk, gan, model)
    gan = gan.to(choose_device(device))
    said = {name: value for name, value in vars(walk).items() if name != "fps"}
    said |= {"photos": [path.name for path in walk.photos], **truncated(gan, walk.truncation)}
    about = origin_of(model) | {"walk": said}
    if gan.spec.points:
        save_png(scatter.plot(path=points_of(gan, z)), out, about)
        return out
    pixels = draw(gan, z)
    if still:
        save_png(grid(pixels, columns), out, about)
    else:
        save_frames([to_picture(image) for image in pixels], out, about, walk.fps)
    return out


def _labels(walk: Walk, gan: Classes) -> list[int]:
    """Return the labels of the classes that a walk names, in its order."""
    text = str(walk.classes)
    names = list(gan.classes) if text == ALL else [text] if text in gan.classes else text.split(":")
    return [label_named(gan, name) for name in names]


def _over_classes(walk: Walk, gan: Classes, stops: Tensor) -> Tensor:
    """Set the classes of the stops. One class: all stops get it. Several: they are the stops, with one noise."""
    labels = torch.tensor(_labels(walk, gan))
    if len(labels) == 1:
        return gan.of_class(stops, labels.expand(len(stops)))
    if walk.grid or walk.axis is not None:
        raise UserError(
            f"--class {walk.classes}: several classes cannot be combined with --grid or --axis; give one class"
        )
    return gan.of_class(stops[:1].repeat(len(labels), 1), labels)


def _path(walk: Walk, gan: GAN[Any], model: Model) -> tuple[Tensor, int | None]:
    """Return the latents of all frames (T, Z), and the number of columns of a still image of them."""
    stops = _photos(walk, gan, model) if walk.photos else _chosen(walk, gan, model)
    if walk.classes is not None:
        stops = _over_classes(walk, classes_of(gan, model), stops)
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
        raise UserError("a walk needs at least two stops: give for example --seeds 3,8,21 or --images a.png b.png")
    return paths.walk(stops, walk.frames, _arcs(walk, gan, stops)), walk.frames


def _arcs(walk: Walk, gan: GAN[Any], stops: Tensor) -> int:
    """Return how many leading axes are walked along arcs: those of the noise."""
    noise = gan.noise_axes if isinstance(gan, Appends) else stops.shape[1]
    return noise if walk.mode == "slerp" else 0


def _still(walk: Walk, gan: GAN[Any], stops: Tensor) -> tuple[Tensor, int]:
    """Return the latents of a square grid: over the whole plane of a 2-D latent, or between four corners."""
    side = max(2, round(walk.frames**0.5))
    if stops.shape[1] == 2 and walk.seeds is None and not walk.photos and walk.truncation is None:
        return plane(gan, side), side
    if len(stops) != 4:
        raise UserError(f"--grid needs four seeds or images, one per corner, not {len(stops)}")
    arcs = _arcs(walk, gan, stops)
    left, right = (paths.walk(stops[[i, i + 2]], side, arcs) for i in (0, 1))
    rows = [paths.walk(torch.stack(ends), side, arcs) for ends in zip(left, right)]
    return torch.cat(rows), side


def _chosen(walk: Walk, gan: GAN[Any], model: Model) -> Tensor:
    """Return the latents (S, Z) of the seeds that the walk passes."""
    labels: list[int] | list[None] = [None] if walk.classes is None else _labels(walk, classes_of(gan, model))
    if walk.truncation is not None and len(labels) > 1:
        raise UserError(
            f"--truncation cannot be combined with several classes ({walk.classes}), which share one noise: "
            "give one class, or leave --truncation out"
        )
    choose = chooser(gan, model, walk.truncation)
    return torch.cat([choose(seed, labels[0]) for seed in (SEEDS if walk.seeds is None else walk.seeds)])


@torch.no_grad()
def _photos(walk: Walk, gan: GAN[Any], model: Model) -> Tensor:
    """Return the latents (S, Z) of the images that the walk passes."""
    if walk.seeds is not None:
        raise UserError("--images and --seeds cannot be combined: give one of them")
    if walk.truncation is not None:
        raise UserError("--images and --truncation cannot be combined: truncation chooses the latents of seeds")
    if not isinstance(gan, Encodes):
        able = ", ".join(registry.able(Encodes))
        name = model.about.variant
        raise UserError(f"--images: {name} cannot encode images to latents; these variants can: {able}")
    return gan.encode(user_images.read(walk.photos, gan.spec))
