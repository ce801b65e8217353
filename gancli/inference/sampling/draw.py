"""Seeds to latents, and latents to images."""

import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gancli.checkpoints.find import Model, find_model
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.gan import GAN, Classes, Samples, Truncates
from gancli.images import scatter
from gancli.images.pixels import Pixels, to_pixels
from gancli.system.seeds import seed_all

MOST_SEEDS = 1_000_000
ALL = "all"  # in place of a class: every one of them
PLANE_DRAWS = 50_000  # from the prior, to find its quantiles


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


@torch.inference_mode()
def points_of(gan: GAN[Any], z: Tensor) -> scatter.Points:
    """Draw the point of each latent (N, Z) by itself, for the reason that `draw` has: (N, 2)."""
    generate = cast(Samples, gan).generate
    return np.concatenate([scatter.to_points(generate(row[None].to(gan.device))) for row in z])


def origin_of(model: Model) -> dict[str, Any]:
    """Say which checkpoint an image is from."""
    return {"variant": model.about.variant, "model": str(model.path), "sha256": model.fingerprint}


def load_sampler(name: str, best: bool) -> tuple[Model, GAN[Any]]:
    """Load a model that generates from latents; raises UserError for another."""
    model = find_model(name, best=best)
    gan = load_model(model)
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


def classes_of(gan: GAN[Any], model: Model) -> Classes:
    """See a model as one with classes; raises UserError when it has none."""
    if not isinstance(gan, Classes):
        raise UserError(f"--class: {model.about.variant} draws no classes, it was trained without labels")
    return gan


def label_named(gan: Classes, name: str) -> int:
    """Find a class by its name; raises UserError that lists them for an unknown one."""
    if name not in gan.classes:
        raise UserError(f"--class {name}: there is {', '.join(gan.classes)} and {ALL}")
    return gan.classes.index(name)


@torch.inference_mode()
def draw(gan: GAN[Any], z: Tensor) -> Pixels:
    """Draw the image of each latent (N, Z) by itself, as uint8 (N, H, W, C).

    One at a time: how a batch is summed depends on its size, and a seed must mean the same bytes in any.
    """
    generate = cast(Samples, gan).generate
    return np.concatenate([to_pixels(generate(row[None].to(gan.device))) for row in z])


def plane(gan: GAN[Any], side: int) -> Tensor:
    """Give a 2-D latent's plane as a grid (side * side, 2), from the top left: the prior's quantiles along both axes.

    Each column, and each row, stands for as much of what the model draws as any other.
    """
    seed_all("plane")
    drawn = cast(Samples, gan).prior(PLANE_DRAWS)
    x, y = drawn.quantile((torch.arange(side) + 0.5) / side, dim=0).unbind(1)
    return torch.cartesian_prod(y.flip(0), x).flip(1)
