"""Turn seeds into latents, and latents into images."""

import re
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from gancli.capabilities import Appends, Classes, Samples
from gancli.checkpoints.find import Model, find_model, only_published
from gancli.checkpoints.load import load_model
from gancli.data.synthetic import points
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.images import scatter
from gancli.images.pixels import Pixels, to_nvlabs_pixels, to_pixels
from gancli.inference.sampling.styles import generated
from gancli.system.seeds import seed_all

MOST_SEEDS = 1_000_000
ALL = "all"  # given as a class: all classes
Scheme = Literal["gancli", "nvlabs"]  # how a seed becomes noise, and values become pixels
MOST_NVLABS = 2**32  # NumPy's old generator takes smaller seeds
PLANE_DRAWS = 50_000  # samples of the prior, to estimate its quantiles


def parse_seeds(text: str | None, n: int) -> tuple[int, ...]:
    """Parse seeds such as `0-15,40`; without any, return 0 to n - 1; raise UserError for invalid text."""
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
    """Generate the point of each latent (N, Z) separately, for the same reason as in `draw`: (N, 2)."""
    generate = cast(Samples, gan).generate
    return np.concatenate([scatter.to_points(generate(row[None].to(gan.device))) for row in z])


def plot_of(model: Model) -> scatter.Plot:
    """Return an empty plot for a model of points: its title, and the points it was trained on, where they are known."""
    about, name = model.about, str(model.about.run.get("data", ""))
    title = f"{about.variant} on {name}, {about.clock['images'] / 1000:g} kimg"
    behind = scatter.Background.of(points.draw(name)[:, :, 0, 0]) if name in points.SETS else None
    return scatter.Plot(title, behind)


def origin_of(model: Model) -> dict[str, Any]:
    """Return which checkpoint an image comes from."""
    return {"variant": model.about.variant, "model": str(model.path), "sha256": model.fingerprint}


def load_sampler(name: str, best: bool) -> tuple[Model, GAN[Any]]:
    """Load a model that generates from latents; raise UserError for any other model."""
    if only_published(name) not in (None, "sample"):  # before it is downloaded
        raise UserError(f"{name} does not generate images from latents: try `gancli translate`")
    model = find_model(name, best=best)
    gan = load_model(model)
    if not isinstance(gan, Samples):
        raise UserError(f"{model.about.variant} does not generate images from latents: try `gancli translate`")
    return model, gan


def latent_of(
    gan: GAN[Any], seed: int | None, label: int | None, prior: Callable[[int], Tensor] | None = None
) -> Tensor:
    """Sample the latent of a seed (1, Z), of a class if a label is given; without a seed, the next of the stream."""
    if seed is not None:
        seed_all("latent", seed)
    z = (prior or cast(Samples, gan).prior)(1)
    return z if label is None else cast(Classes, gan).of_class(z, torch.tensor([label]))


def nvlabs_latent_of(gan: GAN[Any], seed: int, label: int | None) -> Tensor:
    """Return the latent of a seed (1, Z) with the noise that the scripts of NVlabs sample for it."""
    if seed >= MOST_NVLABS:
        raise UserError(f"--seed-scheme nvlabs: seed {seed} is too large: give seeds below {MOST_NVLABS:,}")
    z = latent_of(gan, seed, label)
    axes = gan.noise_axes if isinstance(gan, Appends) else z.shape[1]
    z[:, :axes] = torch.from_numpy(np.random.RandomState(seed).randn(1, axes))
    return z


def classes_of(gan: GAN[Any], model: Model) -> Classes:
    """Return the model as one with classes; raise UserError if it has none."""
    if not (isinstance(gan, Classes) and gan.classes):
        raise UserError(f"--class: {model.about.variant} has no classes, it was trained without labels; leave it out")
    return gan


def label_named(gan: Classes, name: str) -> int:
    """Return the label of a class; raise UserError that lists all classes if it is unknown."""
    if name not in gan.classes:
        raise UserError(f"--class {name}: unknown class; give one of {', '.join(gan.classes)} or {ALL}")
    return gan.classes.index(name)


@torch.inference_mode()
def draw(gan: GAN[Any], latents: Tensor, scheme: Scheme = "gancli") -> Pixels:
    """Generate the image of each latent (N, Z), or of its styles (N, L, W), separately: uint8 (N, H, W, C).

    Rounding in a batch depends on its size; one image at a time, a seed gives the same bytes in any batch.
    """
    pixels = to_pixels if scheme == "gancli" else to_nvlabs_pixels
    return np.concatenate([pixels(generated(gan, row[None].to(gan.device))) for row in latents])


def plane(gan: GAN[Any], side: int) -> Tensor:
    """Return a grid over a 2-D latent space (side * side, 2), from the top left: the prior's quantiles on both axes.

    Every column, and every row, covers an equal share of the prior.
    """
    seed_all("plane")
    drawn = cast(Samples, gan).prior(PLANE_DRAWS)
    x, y = drawn.quantile((torch.arange(side) + 0.5) / side, dim=0).unbind(1)
    return torch.cartesian_prod(y.flip(0), x).flip(1)
