"""Tables of edited images: samples near a latent, and directions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor

from gancli.capabilities import Appends, Classes, Samples
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.images.pixels import Pixels, to_picture
from gancli.images.sheets import PLAIN, Captions, View, sheet, single
from gancli.images.writing import save_png
from gancli.inference.sampling import directions, latents
from gancli.inference.sampling.draw import classes_of, draw, label_named, load_sampler, origin_of
from gancli.inference.sampling.projection import STEPS, Projecting
from gancli.inference.sampling.stops import Finding, in_styles, names_of, read_files
from gancli.inference.sampling.stops import found as stops_of
from gancli.inference.sampling.styles import is_styled, steered, styles_of
from gancli.inference.sampling.truncation import chooser, truncated
from gancli.system.devices import choose_device
from gancli.system.seeds import aside

SPREAD = 0.3  # of samples near a latent, as a share of the prior's
COLUMNS = 7  # of a table of directions
POINTS = "{option}: a model of points has no images to edit; leave {option} out"


# ---------------------------------------------------------------------------------------------- near a latent


@dataclass(frozen=True)
class NearRequest:
    """Samples near the latents of images."""

    model: str
    near: tuple[Path, ...]  # images, folders of them, and saved latents
    seeds: tuple[int, ...]
    spread: float = SPREAD
    space: latents.Space | None = None
    steps: int = STEPS  # of projection
    columns: int | None = None
    of_class: str | None = None
    view: View = PLAIN


def sample_near(request: NearRequest, out: Path, device: str, *, best: bool = False) -> Path:
    """Write a grid of samples near each latent: one per seed, which means the same change for all of them."""
    _check_png(out, "--near")
    model, gan = _editable(request.model, best, "--near")
    place = choose_device(device)
    how = Projecting(request.space, request.steps, label=_label(gan, model, request.of_class))
    found = stops_of(gan, model, read_files(gan, model, request.near, "--near"), Finding(how, place, out))
    z = torch.cat([near(gan, latent, seed, request.spread) for latent in _alike(gan, found) for seed in request.seeds])
    said = {"near": [path.name for path in request.near], "seeds": list(request.seeds), "spread": request.spread}
    about = origin_of(model) | {"variations": said} | request.view.said
    save_png(_near_sheet(request, draw(gan.to(place), z), names_of(request.near)), out, about)
    return out


def _near_sheet(request: NearRequest, images: Pixels, names: Sequence[str]) -> Image.Image:
    """Lay out a row per latent, or the only latent's images as a grid."""
    seeds = tuple(f"seed {seed}" for seed in request.seeds)
    if len(images) == 1 and request.columns is None:  # a single image has no grid's frame
        return single(to_picture(images[0]), seeds[0], request.view)
    if len(names) > 1 and request.columns in (None, len(seeds)):
        return sheet(images, len(seeds), Captions(tuple(names), seeds), request.view)
    cells = [f"{name}\n{seed}" if len(names) > 1 else seed for name in names for seed in seeds]
    return sheet(images, request.columns, Captions(cells=tuple(cells)), request.view)


def near(gan: GAN[Any], latent: Tensor, seed: int, spread: float) -> Tensor:
    """Return a latent near one (1, Z) or (1, L, W): 0 gives itself, 1 another sample, or a w as far away as one.

    In z the way is an arc, so that noise stays as long as noise is; labels and codes stay.
    """
    with aside("near", seed):
        z = cast(Samples, gan).prior(1)
    if latent.dim() == 3:
        with torch.inference_mode():
            return latent + spread * (styles_of(gan, z) - cast(Any, gan).mean_styles(z))
    axes = gan.noise_axes if isinstance(gan, Appends) else z.shape[1]
    angle = torch.tensor(min(spread, 1.0) * torch.pi / 2)
    noise = angle.cos() * latent[:, :axes] + angle.sin() * z[:, :axes]
    return torch.cat([noise, latent[:, axes:]], 1)


def _alike(gan: GAN[Any], found: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return latents of one space: styles, if one of them holds styles."""
    return [in_styles(gan, latent) for latent in found] if any(latent.dim() == 3 for latent in found) else found


# ------------------------------------------------------------------------------------------------ directions


@dataclass(frozen=True)
class DirectionsRequest:
    """A table of directions."""

    model: str
    count: int
    by: directions.By = "sefa"
    reach: float = 3.0
    seed: int = 0
    layers: str | None = None  # style layers that a direction moves
    columns: int | None = None
    truncation: float | None = None
    of_class: str | None = None
    view: View = PLAIN


def show_directions(request: DirectionsRequest, out: Path, device: str, *, best: bool = False) -> Path:
    """Write a table with a row per direction: from -reach on the left, over the sample itself, to +reach."""
    _check_png(out, "--directions")
    model, gan = _editable(request.model, best, "--directions")
    found = directions.find(gan, directions.Finder(request.by, request.layers))
    if request.count > len(found):
        raise UserError(f"--directions {request.count}: this model has {len(found)}; give at most that")
    z = chooser(gan, model, request.truncation)(request.seed, _label(gan, model, request.of_class))
    middle = in_styles(gan, steered(gan, z, request.truncation)) if is_styled(gan) else z
    columns = request.columns or COLUMNS
    z = torch.cat([directions.along(middle, d, request.reach, columns) for d in found[: request.count]])
    said = {"count": request.count, "by": request.by, "reach": request.reach, "seed": request.seed}
    about = origin_of(model) | truncated(gan, request.truncation) | {"directions": said | {"layers": request.layers}}
    rows = tuple(f"direction {i}" for i in range(request.count))
    captions = Captions(rows, tuple(directions.steps_of(request.reach, columns)))
    drawn = draw(gan.to(choose_device(device)), z)
    save_png(sheet(drawn, columns, captions, request.view), out, about | request.view.said)
    return out


def _editable(name: str, best: bool, option: str) -> tuple[Model, GAN[Any]]:
    model, gan = load_sampler(name, best)
    if gan.spec.points:
        raise UserError(POINTS.format(option=option))
    return model, gan


def _label(gan: GAN[Any], model: Model, name: str | None) -> int | None:
    known: Classes | None = None if name is None else classes_of(gan, model)
    return None if known is None else label_named(known, str(name))


def _check_png(out: Path, option: str) -> None:
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: with {option} one grid is written: give a .png file")
