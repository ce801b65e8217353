"""Interpolate between latents, or between images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from gancli.capabilities import Appends, Classes, Samples
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.images import scatter
from gancli.images.animation import check_suffix, save_frames
from gancli.images.pixels import to_picture
from gancli.images.sheets import PLAIN, Captions, View, check_plot, class_caption, frames, sheet
from gancli.images.writing import save_png
from gancli.inference.sampling import directions, latents, paths
from gancli.inference.sampling.draw import (
    ALL,
    classes_of,
    draw,
    label_named,
    load_sampler,
    origin_of,
    plane,
    plot_of,
    points_of,
)
from gancli.inference.sampling.projection import STEPS, Projecting
from gancli.inference.sampling.stops import Finding, in_styles, names_of, read_files
from gancli.inference.sampling.stops import found as stops_of
from gancli.inference.sampling.styles import is_styled, steered, styled
from gancli.inference.sampling.truncation import chooser, truncated
from gancli.system.devices import choose_device
from gancli.system.seeds import aside

SEEDS = (0, 1, 2, 3)  # of a walk, by default
CPU = torch.device("cpu")


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
    saved: tuple[Path, ...] = ()  # latents that the walk passes after its seeds or photos
    space: latents.Space | None = None  # where it walks, and where photos are projected; None: w if there are styles
    layers: str | None = None  # that a direction or truncation moves
    direction: str | None = None  # a number or a name
    by: directions.By = "sefa"
    name: str | None = None  # given to the direction
    steps: int = STEPS  # of projection


def interpolate(
    name: str, walk: Walk, out: Path | None, device: str, *, best: bool = False, view: View = PLAIN
) -> Path:
    """Generate the images of a walk and write them; return the path of the file."""
    model, gan = load_sampler(name, best)
    still = walk.grid or walk.strip or gan.spec.points
    out = out or Path("walk.png" if still else "walk.gif")
    if still and out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: a grid, a strip or a walk of a point model is written as .png: give a .png file")
    if not still:
        check_suffix(out)
    if gan.spec.points:
        check_plot(view)
    place = choose_device(device)
    path, columns = _path(walk, gan, model, place, out)
    gan = gan.to(place)
    about = origin_of(model) | {"walk": _said(walk, path) | truncated(gan, walk.truncation)}
    about |= view.said
    if gan.spec.points:
        mesh = scatter.Trace(points_of(gan, path), columns if walk.grid else None)
        save_png(scatter.draw(replace(plot_of(model), walk=mesh, scale=view.scale)), out, about)
        return out
    pixels = draw(gan, path)
    if still:
        save_png(sheet(pixels, columns, _captions(walk, gan, path), view), out, about)
    else:
        moving = _moving_captions(walk, gan)
        save_frames(frames([to_picture(image) for image in pixels], moving, view), out, about, walk.fps)
    return out


def _said(walk: Walk, path: Tensor) -> dict[str, Any]:
    """Return the entries about a walk in an image's metadata."""
    said = {name: value for name, value in vars(walk).items() if name != "fps"}
    files = {name: [path.name for path in said[name]] for name in ("photos", "saved")}
    return said | files | {"space": "w" if path.dim() == 3 else "z"}


# ------------------------------------------------------------------------------------------------ captions


def _captions(walk: Walk, gan: GAN[Any], path: Tensor) -> Captions:
    """Name the frames of a still image: values of a code or direction, corners, or stops."""
    if along := _along(walk):
        return Captions((along,), tuple(directions.steps_of(walk.reach, walk.frames)))
    if walk.grid and _is_whole_plane(walk, path):
        side = _side(walk)
        return Captions(*(tuple(f"{value:+.2f}" for value in z.tolist()) for z in (path[::side, 1], path[:side, 0])))
    names, count = _stop_names(walk, gan), len(path)
    if walk.grid:
        side = _side(walk)
        corners = dict(zip((0, side - 1, count - side, count - 1), names))
        return Captions(cells=tuple(corners.get(i, "") for i in range(count)))
    named = paths.captions(names, count)
    return Captions(cells=tuple(text if text in names else "" for text in named))  # no room between stops


def _moving_captions(walk: Walk, gan: GAN[Any]) -> list[str]:
    if along := _along(walk):
        return [f"{along}: {value}" for value in directions.steps_of(walk.reach, walk.frames)]
    return paths.captions(_stop_names(walk, gan), walk.frames)


def _along(walk: Walk) -> str:
    """Return what a walk goes along, "" if it goes from stop to stop."""
    if walk.direction is not None:
        return f"direction {walk.direction}"
    return "" if walk.axis is None else f"axis {walk.axis}"


def _stop_names(walk: Walk, gan: GAN[Any]) -> list[str]:
    """Return the captions of the stops of a walk, in its order."""
    if walk.classes is not None and isinstance(gan, Classes) and len(labels := _labels(walk, gan)) > 1:
        names = [class_caption(gan.classes[label]) for label in labels]
    else:
        files = walk.photos or (walk.saved if walk.seeds is None else ())
        seeds = () if files else SEEDS if walk.seeds is None else walk.seeds
        names = [*(f"seed {seed}" for seed in seeds), *names_of((*walk.photos, *walk.saved))]
    return [*names, names[0]] if walk.loop and not walk.grid else names


# --------------------------------------------------------------------------------------------------- the path


def _path(
    walk: Walk, gan: GAN[Any], model: Model, device: torch.device = CPU, out: Path = Path()
) -> tuple[Tensor, int | None]:
    """Return the latents of all frames, (T, Z) or (T, L, W), and the number of columns of a still image of them."""
    if walk.space not in (None, "z"):
        styled(gan, f"--space {walk.space}")
    seeds = _chosen(walk, gan, model)
    if _is_plane(walk, seeds):
        return plane(gan, _side(walk)), _side(walk)
    given = read_files(gan, model, (*walk.photos, *walk.saved), "--images")
    _check(walk, gan, model, len(given) + (0 if seeds is None else len(seeds)))
    how = Projecting(walk.space, walk.steps, label=_label(walk, gan))
    found = stops_of(gan, model, given, Finding(how, device, out))
    if walk.classes is not None and (seeds is not None or all(latent.dim() == 2 for latent in found)):
        seeds, found = _over_classes(walk, classes_of(gan, model), seeds, found)
    moved = [] if seeds is None else [steered(gan, seeds, walk.truncation, _truncated_layers(walk))]
    if _in_styles(walk, gan, found):
        return _between(walk, gan, model, torch.cat([in_styles(gan, latent) for latent in [*moved, *found]]))
    path, columns = _between(walk, gan, model, torch.cat([*([] if seeds is None else [seeds]), *found]))
    return (path if seeds is None else steered(gan, path, walk.truncation, _truncated_layers(walk))), columns


def _check(walk: Walk, gan: GAN[Any], model: Model, stops: int) -> None:
    """Raise UserError for a walk that cannot be, before the latents of its stops are found, which may take long."""
    several = walk.classes is not None and len(_labels(walk, classes_of(gan, model))) > 1
    if walk.direction is not None:
        _direction(walk, gan, model)
        if walk.name is not None:
            directions.check_new(model, walk.name)
    elif walk.axis is not None:
        with aside("axis"):
            size = cast(Samples, gan).prior(1).shape[1]
        if walk.axis >= size:
            raise UserError(f"--axis {walk.axis}: this model's latents have axes 0 to {size - 1}")
    elif walk.grid and stops != 4:
        raise UserError(f"--grid needs four seeds or images, one per corner, not {stops}")
    elif stops + walk.loop < 2 and not several:
        raise UserError("a walk needs at least two stops: give for example --seeds 3,8,21 or --images a.png b.png")


def _direction(walk: Walk, gan: GAN[Any], model: Model) -> Tensor:
    return directions.named(gan, model, str(walk.direction), directions.Finder(walk.by, walk.layers))


def _truncated_layers(walk: Walk) -> str | None:
    return None if walk.direction else walk.layers


def _in_styles(walk: Walk, gan: GAN[Any], found: list[Tensor]) -> bool:
    """Tell whether the walk is one through styles. Raise UserError if it cannot be one through z, as was asked."""
    if any(latent.dim() == 3 for latent in found):
        if walk.space == "z" or walk.axis is not None:
            raise UserError(
                f"--{'axis' if walk.axis is not None else 'space z'}: a latent that was saved holds styles w, "
                "and there is no z of it; leave it out"
            )
        return True
    return is_styled(gan) and walk.space != "z" and walk.axis is None


def _between(walk: Walk, gan: GAN[Any], model: Model, stops: Tensor) -> tuple[Tensor, int]:
    """Return the latents of all frames, and the number of columns of a still image of them."""
    if walk.direction is not None:
        return _along_direction(walk, gan, model, stops), walk.frames
    if walk.axis is not None:
        return _along_axis(walk, stops), walk.frames
    if walk.grid:
        return _corners(walk, gan, stops)
    if walk.loop:
        stops = torch.cat([stops, stops[:1]])
    return through(stops, walk.frames, arcs(gan, stops, walk.mode)), walk.frames


def _along_direction(walk: Walk, gan: GAN[Any], model: Model, stops: Tensor) -> Tensor:
    """Return latents from one side of the first stop to the other, and keep the direction if it was given a name."""
    direction = _direction(walk, gan, model)
    if direction.dim() + 1 != stops.dim():
        raise UserError(f"--direction {walk.direction} changes styles w: leave --space z out")
    if walk.name is not None:
        directions.keep(model, walk.name, direction, f"direction {walk.direction} by {walk.by}")
    return directions.along(stops[:1], direction, walk.reach, walk.frames)


def _along_axis(walk: Walk, stops: Tensor) -> Tensor:
    """Return latents (T, Z) that differ from the first stop in one axis."""
    z = stops[:1].repeat(walk.frames, 1)
    z[:, cast(int, walk.axis)] = torch.linspace(-walk.reach, walk.reach, walk.frames)
    return z


def through(stops: Tensor, frames: int, arcs: int) -> Tensor:
    """Return the latents of all frames of a walk through stops (S, Z) or (S, L, W)."""
    return paths.walk(stops.flatten(1), frames, arcs).unflatten(1, stops.shape[1:])


def arcs(gan: GAN[Any], stops: Tensor, mode: str = "slerp") -> int:
    """Return how many leading axes are walked along arcs: those of the noise; styles do not lie on a sphere."""
    noise = gan.noise_axes if isinstance(gan, Appends) else stops.shape[1]
    return noise if mode == "slerp" and stops.dim() == 2 else 0


def _side(walk: Walk) -> int:
    return max(2, round(walk.frames**0.5))


def _is_plane(walk: Walk, seeds: Tensor | None) -> bool:
    return seeds is not None and _is_whole_plane(walk, seeds)


def _is_whole_plane(walk: Walk, z: Tensor) -> bool:
    """Tell whether a grid shows the whole plane of a 2-D latent: nothing else was asked for."""
    given = walk.seeds is not None or walk.truncation is not None or walk.axis is not None or walk.direction
    return walk.grid and not given and not walk.photos and not walk.saved and z.shape[1:] == (2,)


def _corners(walk: Walk, gan: GAN[Any], stops: Tensor) -> tuple[Tensor, int]:
    """Return the latents of a square grid between four corners."""
    side = _side(walk)
    curved = arcs(gan, stops, walk.mode)
    left, right = (through(stops[[i, i + 2]], side, curved) for i in (0, 1))
    rows = [through(torch.stack(ends), side, curved) for ends in zip(left, right)]
    return torch.cat(rows), side


# -------------------------------------------------------------------------------------------------- its stops


def _labels(walk: Walk, gan: Classes) -> list[int]:
    """Return the labels of the classes that a walk names, in its order."""
    text = str(walk.classes)
    names = list(gan.classes) if text == ALL else [text] if text in gan.classes else text.split(":")
    return [label_named(gan, name) for name in names]


def _label(walk: Walk, gan: GAN[Any]) -> int | None:
    """Return the label of the only class of a walk; None if it has none or several."""
    labels = _labels(walk, gan) if walk.classes is not None and isinstance(gan, Classes) else []
    return labels[0] if len(labels) == 1 else None


def _over_classes(
    walk: Walk, gan: Classes, seeds: Tensor | None, found: list[Tensor]
) -> tuple[Tensor | None, list[Tensor]]:
    """Set the classes of the stops. One class: all stops get it. Several: they are the stops, with one noise."""
    labels = torch.tensor(_labels(walk, gan))
    given = [*([] if seeds is None else [seeds]), *found]
    if len(labels) == 1:
        of = [x if x.dim() == 3 else gan.of_class(x, labels.expand(len(x))) for x in given]
        return (None, of) if seeds is None else (of[0], of[1:])
    if walk.grid or walk.axis is not None or walk.direction is not None or given[0].dim() == 3:
        raise UserError(
            f"--class {walk.classes}: several classes cannot be combined with --grid, --axis, --direction or styles; "
            "give one class"
        )
    over = gan.of_class(given[0][:1].repeat(len(labels), 1), labels)
    return (None, [over]) if seeds is None else (over, [])


def _chosen(walk: Walk, gan: GAN[Any], model: Model) -> Tensor | None:
    """Return the latents (S, Z) of the seeds that the walk passes, before their styles are truncated; None if none."""
    if walk.photos and walk.seeds is not None:
        raise UserError("--images and --seeds cannot be combined: give one of them")
    if walk.photos and walk.truncation is not None:
        raise UserError("--images and --truncation cannot be combined: truncation chooses the latents of seeds")
    if walk.photos or (walk.saved and walk.seeds is None):
        return None
    labels: list[int] | list[None] = [None] if walk.classes is None else _labels(walk, classes_of(gan, model))
    if walk.truncation is not None and len(labels) > 1:
        raise UserError(
            f"--truncation cannot be combined with several classes ({walk.classes}), which share one noise: "
            "give one class, or leave --truncation out"
        )
    choose = chooser(gan, model, walk.truncation)
    return torch.cat([choose(seed, labels[0]) for seed in (SEEDS if walk.seeds is None else walk.seeds)])
