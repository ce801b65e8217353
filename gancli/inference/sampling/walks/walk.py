"""A walk through a latent space: its options, its stops, and the latents of all its frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from gancli.capabilities import Appends, Classes, Samples
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference.sampling import directions, latents
from gancli.inference.sampling.draw import ALL, classes_of, label_named, plane
from gancli.inference.sampling.projection import STEPS, Projecting
from gancli.inference.sampling.stops import Finding, in_styles, read_files
from gancli.inference.sampling.stops import found as stops_of
from gancli.inference.sampling.styles import is_styled, steered, styled
from gancli.inference.sampling.truncation import chooser
from gancli.inference.sampling.walks import paths
from gancli.system.seeds import aside

SEEDS = (0, 1, 2, 3)  # of a walk, by default
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The options of a walk through a latent space; by default, those of `gancli interpolate`."""

    seeds: tuple[int, ...] | None = None  # None stands for SEEDS, or for the whole plane of a 2-D latent
    photos: tuple[Path, ...] = ()
    frames: int = 60
    mode: Literal["slerp", "lerp"] = "slerp"
    axis: int | None = None
    reach: float = 3.0
    grid: bool = False
    strip: bool = False
    loop: bool = False
    fps: float = 25
    classes: str | None = None  # NAME, NAME:NAME:…, or ALL
    truncation: float | None = None  # of the stops that come from seeds
    saved: tuple[Path, ...] = ()  # latents that the walk passes after its seeds or photos
    space: latents.Space | None = None  # where it walks, and where photos are projected; None: w if there are styles
    layers: str | None = None  # that a direction or truncation moves
    direction: str | None = None  # a number or a name
    by: directions.By = "sefa"
    name: str | None = None  # given to the direction
    steps: int = STEPS  # of projection

    @property
    def starts(self) -> tuple[int, ...]:
        """The seeds that it passes first; none if it starts at an image or a saved latent."""
        if self.photos or (self.saved and self.seeds is None):
            return ()
        return SEEDS if self.seeds is None else self.seeds

    @property
    def side(self) -> int:
        """The number of images along a side of its grid."""
        return max(2, round(self.frames**0.5))


def frames_of(
    walk: Walk, gan: GAN[Any], model: Model, device: torch.device = CPU, out: Path = Path()
) -> tuple[Tensor, int | None]:
    """Return the latents of all frames, (T, Z) or (T, L, W), and the number of columns of a still image of them."""
    if walk.space not in (None, "z"):
        styled(gan, f"--space {walk.space}")
    seeds = _chosen(walk, gan, model)
    if seeds is not None and is_whole_plane(walk, seeds):
        return plane(gan, walk.side), walk.side
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
    several = walk.classes is not None and len(labels_of(walk, classes_of(gan, model))) > 1
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
    """Return the latents (T, Z) or (T, L, W) of all frames of a walk through stops (S, Z) or (S, L, W)."""
    return paths.walk(stops.flatten(1), frames, arcs).unflatten(1, stops.shape[1:])


def arcs(gan: GAN[Any], stops: Tensor, mode: str = "slerp") -> int:
    """Return how many leading axes are walked along arcs: those of the noise; styles do not lie on a sphere."""
    noise = gan.noise_axes if isinstance(gan, Appends) else stops.shape[1]
    return noise if mode == "slerp" and stops.dim() == 2 else 0


def is_whole_plane(walk: Walk, z: Tensor) -> bool:
    """Tell whether a grid shows the whole plane of a 2-D latent: nothing else was asked for."""
    given = walk.seeds is not None or walk.truncation is not None or walk.axis is not None or walk.direction
    return walk.grid and not given and not walk.photos and not walk.saved and z.shape[1:] == (2,)


def _corners(walk: Walk, gan: GAN[Any], stops: Tensor) -> tuple[Tensor, int]:
    """Return the latents of a square grid between four corners."""
    side = walk.side
    curved = arcs(gan, stops, walk.mode)
    left, right = (through(stops[[i, i + 2]], side, curved) for i in (0, 1))
    rows = [through(torch.stack(ends), side, curved) for ends in zip(left, right)]
    return torch.cat(rows), side


# ------------------------------------------------------------------------------------------------------ stops


def labels_of(walk: Walk, gan: Classes) -> list[int]:
    """Return the labels of the classes that a walk names, in its order."""
    text = str(walk.classes)
    names = list(gan.classes) if text == ALL else [text] if text in gan.classes else text.split(":")
    return [label_named(gan, name) for name in names]


def _label(walk: Walk, gan: GAN[Any]) -> int | None:
    """Return the label of the only class of a walk; None if it has none or several."""
    labels = labels_of(walk, gan) if walk.classes is not None and isinstance(gan, Classes) else []
    return labels[0] if len(labels) == 1 else None


def _over_classes(
    walk: Walk, gan: Classes, seeds: Tensor | None, found: list[Tensor]
) -> tuple[Tensor | None, list[Tensor]]:
    """Set the classes of the stops. One class: all stops get it. Several: they are the stops, with one noise."""
    labels = torch.tensor(labels_of(walk, gan))
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
    if not walk.starts:
        return None
    labels: list[int] | list[None] = [None] if walk.classes is None else labels_of(walk, classes_of(gan, model))
    if walk.truncation is not None and len(labels) > 1:
        raise UserError(
            f"--truncation cannot be combined with several classes ({walk.classes}), which share one noise: "
            "give one class, or leave --truncation out"
        )
    choose = chooser(gan, model, walk.truncation)
    return torch.cat([choose(seed, labels[0]) for seed in walk.starts])
