"""The captions of a walk: the stop that each frame shows, or the value of the axis or direction there."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gancli.capabilities import Classes
from gancli.gan import GAN
from gancli.images.sheets import Captions, class_caption
from gancli.inference.sampling import directions
from gancli.inference.sampling.stops import names_of
from gancli.inference.sampling.walks.walk import Walk, is_whole_plane, labels_of

EXACT = 1e-4  # of the way from stop to stop: rounding of float32


def of_still(walk: Walk, gan: GAN[Any], path: Tensor) -> Captions:
    """Name the frames of a still image: values of a code or direction, corners, or stops."""
    if along := _along(walk):
        return Captions((along,), tuple(directions.steps_of(walk.reach, walk.frames)))
    if walk.grid and is_whole_plane(walk, path):
        y, x = path[:: walk.side, 1], path[: walk.side, 0]
        return Captions(*(tuple(f"{value:+.2f}" for value in z.tolist()) for z in (y, x)))
    names, count = _stop_names(walk, gan), len(path)
    if walk.grid:
        corners = dict(zip((0, walk.side - 1, count - walk.side, count - 1), names))
        return Captions(cells=tuple(corners.get(i, "") for i in range(count)))
    named = between(names, count)
    return Captions(cells=tuple(text if text in names else "" for text in named))  # no room between stops


def of_animation(walk: Walk, gan: GAN[Any]) -> list[str]:
    """Name the frames of an animation."""
    if along := _along(walk):
        return [f"{along}: {value}" for value in directions.steps_of(walk.reach, walk.frames)]
    return between(_stop_names(walk, gan), walk.frames)


def _along(walk: Walk) -> str:
    """Return what a walk goes along, "" if it goes from stop to stop."""
    if walk.direction is not None:
        return f"direction {walk.direction}"
    return "" if walk.axis is None else f"axis {walk.axis}"


def _stop_names(walk: Walk, gan: GAN[Any]) -> list[str]:
    """Return the captions of the stops of a walk, in its order."""
    if walk.classes is not None and isinstance(gan, Classes) and len(labels := labels_of(walk, gan)) > 1:
        names = [class_caption(gan.classes[label]) for label in labels]
    else:
        names = [*(f"seed {seed}" for seed in walk.starts), *names_of((*walk.photos, *walk.saved))]
    return [*names, names[0]] if walk.loop and not walk.grid else names


def between(names: Sequence[str], frames: int) -> list[str]:
    """Name the stop that each frame of a walk shows, or the two that it is between."""
    place = torch.linspace(0, len(names) - 1, frames).tolist()
    return [_between(names, at) for at in place]


def _between(names: Sequence[str], at: float) -> str:
    if abs(at - round(at)) < EXACT:
        return names[round(at)]
    return f"{names[int(at)]} to {names[int(at) + 1]}"
