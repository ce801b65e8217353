"""Generate images with trained models, one per seed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gancli.capabilities import Classes
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.images import scatter
from gancli.images.pixels import Pixels, to_picture
from gancli.images.sheets import PLAIN, Captions, View, check_plot, class_caption, sheet, single
from gancli.images.writing import STANDARD, save_png
from gancli.inference.sampling.draw import (
    ALL,
    Scheme,
    classes_of,
    draw,
    label_named,
    load_sampler,
    nvlabs_latent_of,
    origin_of,
    plot_of,
    points_of,
)
from gancli.inference.sampling.styles import steered, truncates_styles
from gancli.inference.sampling.truncation import Choose, chooser, truncated
from gancli.system import atomic
from gancli.system.devices import choose_device


@dataclass(frozen=True)
class SampleRequest:
    """The images to generate."""

    model: str
    seeds: tuple[int, ...]
    truncation: float | None = None
    columns: int | None = None
    bare: bool = False  # a single image, without the frame of a grid
    of_class: str | None = None  # a name, or ALL: every seed once per class
    layers: str | None = None  # style layers that truncation moves; None: all
    scheme: Scheme = "gancli"
    view: View = PLAIN


# ---------------------------------------------------------------------------------------------- generating


def sample(request: SampleRequest, out: Path, device: str, *, best: bool = False) -> list[Path]:
    """Generate images and write them to `out`: one grid, an array, or a folder of files. Return the files written."""
    kind = _kind_of(out)
    _check_view(request.view, kind, out)
    model, gan = load_sampler(request.model, best)
    choose = _chooser(gan, model, request)  # before the move: latents are always sampled on the CPU
    z = torch.cat([choose(seed, of) for of in _labels(gan, model, request.of_class) for seed in request.seeds])
    labels = gan.label_of(z).numpy() if isinstance(gan, Classes) and gan.classes else np.full(len(z), -1)
    latents = steered(gan, z, request.truncation, request.layers)
    gan = gan.to(choose_device(device))
    about = origin_of(model) | truncated(gan, request.truncation) | {"class": request.of_class}
    about |= {} if request.layers is None else {"layers": request.layers}
    about |= ({} if request.scheme == "gancli" else {"seed_scheme": request.scheme}) | request.view.said
    if gan.spec.points:
        return _save_points(gan, latents, request, out, about, plot_of(model))
    pixels = draw(gan, latents, request.scheme)
    if kind == "npz":
        with atomic.replacing(out) as temporary:
            np.savez_compressed(temporary, images=pixels, labels=labels)
        return [out]
    if kind == "grid":
        said = about | {"seeds": list(request.seeds), "columns": request.columns, "bare": request.bare}
        save_png(_sheet(request, gan, pixels, labels), out, said)
        return [out]
    return _save_each(request, gan, pixels, labels, out, about)


def _check_view(view: View, kind: str, out: Path) -> None:
    if kind == "npz" and (given := view.said):
        raise UserError(f"--out {out}: an array holds the images as they are: leave --{next(iter(given))} out")


def _sheet(request: SampleRequest, gan: GAN[Any], pixels: Pixels, labels: NDArray) -> Image.Image:
    """Lay out the grid, or a single image; the captions are the seeds, and the classes that the images are of."""
    cells = _captions(gan, request.seeds, labels)
    if request.bare:
        return single(to_picture(pixels[0]), cells[0], request.view)
    columns = request.columns
    captions = Captions(cells=cells)
    if request.of_class == ALL and columns in (None, len(request.seeds)):  # a row per class
        columns = len(request.seeds)
        names = tuple(class_caption(name) for name in cast(Classes, gan).classes)
        captions = Captions(names, tuple(f"seed {seed}" for seed in request.seeds))
    return sheet(pixels, columns, captions, request.view)


def _captions(gan: GAN[Any], seeds: tuple[int, ...], labels: NDArray) -> tuple[str, ...]:
    """Return the caption of each image: its class, if the model has classes, and its seed."""
    known = gan.classes if isinstance(gan, Classes) else ()
    named = (f"{class_caption(known[label])}\n" if known else "" for label in labels)
    return tuple(f"{name}seed {seed}" for name, seed in zip(named, seeds * (len(labels) // len(seeds))))


def _chooser(gan: GAN[Any], model: Model, request: SampleRequest) -> Choose:
    """Return the function from a seed to its latent."""
    choose = chooser(gan, model, request.truncation)
    if request.scheme == "gancli":
        return choose
    if request.truncation is not None and not truncates_styles(gan):
        raise UserError("--seed-scheme nvlabs: only style models can be truncated with it: leave --truncation out")
    return lambda seed, label: nvlabs_latent_of(gan, seed, label)


def _save_each(
    request: SampleRequest, gan: GAN[Any], pixels: Pixels, labels: NDArray, out: Path, about: dict[str, Any]
) -> list[Path]:
    """Write one file per seed, or one per class and seed."""
    written = []
    seeds = request.seeds * (len(pixels) // len(request.seeds))
    captions = _captions(gan, request.seeds, labels)
    for seed, label, image, caption in zip(seeds, labels, pixels, captions):
        said = about | {"seeds": [seed], "columns": None, "bare": True}
        path = out / f"seed{seed:05d}.png"
        if request.of_class == ALL:
            said["class"] = cast(Classes, gan).classes[label]
            path = out / f"class{label:03d}-seed{seed:05d}.png"
        save_png(single(to_picture(image), caption, request.view), path, said)
        written.append(path)
    return written


def _save_points(
    gan: GAN[Any], z: Tensor, request: SampleRequest, out: Path, about: dict[str, Any], plot: scatter.Plot
) -> list[Path]:
    """Write points as a scatter plot, or as an array `points` float32 (N, 2)."""
    check_plot(request.view)
    drawn = points_of(gan, z)
    if _kind_of(out) == "npz":
        with atomic.replacing(out) as temporary:
            np.savez_compressed(temporary, points=drawn)
    elif _kind_of(out) == "grid":
        said = about | {"seeds": list(request.seeds), "columns": request.columns}
        save_png(scatter.draw(replace(plot, fake=drawn, scale=request.view.scale)), out, said)
    else:
        raise UserError(f"--out {out}: for a point model give a .png (a scatter plot of all points) or an .npz")
    return [out]


def _kind_of(out: Path) -> str:
    suffix = ".png" if out == STANDARD else out.suffix.lower()
    if suffix in ("", ".png", ".npz"):
        return {"": "folder", ".png": "grid", ".npz": "npz"}[suffix]
    raise UserError(f"--out {out}: give a .png (one grid), an .npz, or a folder (one file per seed)")


def _labels(gan: GAN[Any], model: Model, name: str | None) -> list[int] | list[None]:
    """Return the label of the named class, or those of all classes; without a name, a single None."""
    if name is None:
        return [None]
    known = classes_of(gan, model)
    return list(range(len(known.classes))) if name == ALL else [label_named(known, name)]
