"""Signatures of variants that generate from noise: modes, features, energies, patterns."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.data.synthetic import shapes
from gancli.data.synthetic.points import MIXTURES
from gancli.evaluation.known_truth import points
from gancli.images.scatter import to_points
from gancli.variants import bgan
from tests.variants.signatures.table import Table, folder, noise, replaced
from tests.variants.training import small_shapes, train

table = Table()


def modes(gan: Any, feed: Any) -> float:
    """Return the number of modes of the ring among 2,500 samples."""
    return points.score(MIXTURES["ring8"], to_points(gan.fakes(feed.first(2500))))["modes_hit"]


@table.signature("wgan-gp", "modes of ring8 found after 1,000 steps", "no penalty", 4)
def modes_with_a_penalty(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 32, "batch": 128, "n_critic": 2, "gp_weight": 0.0 if control else 0.1}
    return modes(*train("wgan-gp", "ring8", 1000, seed, **options)[:2])


@table.signature("improved", "modes of ring8 found after 800 steps", "no minibatch discrimination", 5)
def modes_with_discrimination(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 8, "lr": 2e-3, "z_dim": 2, "batch": 64}
    return modes(*train("improved", "ring8", 800, seed, kernels=0 if control else 16, **options)[:2])


@table.signature("r3gan", "modes of ring8 after 1,000 steps", "no penalties", 5)
def modes_with_two_penalties(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 32, "batch": 128, "gamma": 0.0 if control else 0.1}
    return modes(*train("r3gan", "ring8", 1000, seed, **options)[:2])


def corners(count: int = 2000) -> Dataset[OptionallyLabelled]:
    """Pictures whose upper left quarter is bright, more or less."""
    brightness = torch.randint(150, 256, (count, 1, 1, 1), generator=torch.Generator().manual_seed(0))
    pixels = torch.zeros(count, 1, 8, 8, dtype=torch.uint8)
    pixels[:, :, :4, :4] = brightness.to(torch.uint8)
    columns = OptionallyLabelled.columns_of(pixels)
    return Dataset("corners", DataSpec(1, 8, 8), OptionallyLabelled, columns)


def reals_alone(gan: Any) -> None:
    """Augment real images and leave fakes, which alone have a gradient to pass on to G, as they are."""
    change = gan.augmentation

    def seen(x: Tensor, sides: int = 1) -> Tensor:
        if sides == 2:
            return torch.cat([change(x[: len(x) // 2]), x[len(x) // 2 :]])
        return x if x.requires_grad else change(x)

    gan.seen = seen


@table.signature(
    "r3gan", "share of fakes turned over by ADA's blits, p = 0.5", "only reals augmented", 0.05, least=False
)
def turns_do_not_leak(seed: int, control: bool) -> float:
    """Of the reals that D sees, a quarter have their bright corner below. Mirrored fakes remain after so few steps."""
    options: dict[str, Any] = {"augment": "ada", "ada": "blit", "ada_p": 0.5, "anneal": 0.0, "final_lr": 1.0}
    options |= {"width": 16, "wide": 4, "patch": 1, "batch": 64, "lr": 1e-3, "gamma": 0.1, "final_gamma": 1.0}
    gan = train("r3gan", corners(), 400, seed, reals_alone if control else None, **options)[0]
    with torch.no_grad():
        quarters = torch.nn.functional.avg_pool2d(gan.generate(gan.prior(500)), 4).flatten(1)
    return float((quarters.argmax(1) >= 2).float().mean())


AT = (torch.arange(8) - 3.5) / 3.5


def ramps(up: float, count: int = 2000) -> Dataset[OptionallyLabelled]:
    """Pictures that grow brighter towards one side, more or less: upwards on average, or downwards (up = -1)."""
    right, high = (noise(1, count, 2) * 0.3 + torch.tensor([0.0, up])).mul(0.4)[..., None, None].unbind(1)
    pixels = ((right * AT - high * AT[:, None]).clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)[:, None]
    return Dataset("ramps", DataSpec(1, 8, 8), OptionallyLabelled, OptionallyLabelled.columns_of(pixels))


def upwards(x: Tensor) -> Tensor:
    """Return by how much more images grow brighter upwards than to either side; below 0 if downwards."""
    high, right = -(x * AT[:, None]).sum((1, 2, 3)), (x * AT).sum((1, 2, 3))
    return high.sign() * (high.abs() - right.abs()).clamp_min(0)


@table.signature(
    "stylegan2",
    "share of fakes the right way up, for upright or for upside-down data, the lesser; ADA's blits, p = 0.5",
    "p = 1",
    0.9,
)
def the_right_way_up(seed: int, control: bool) -> float:
    """At p = 1 all ways up are equally frequent in both data sets as D sees them, and G takes to one of them."""
    options: dict[str, Any] = {"augment": "ada", "ada": "blit", "ada_p": 1.0 if control else 0.5, "labels": False}
    options |= {"width": 16, "channel_base": 128, "z_dim": 8, "w_dim": 16, "batch": 32, "path": 0.0, "decay": 0.0}

    def share(up: float) -> float:
        gan = train("stylegan2", ramps(up), 200, seed, **options)[0]
        with torch.no_grad():
            return float((up * upwards(gan.generate(gan.prior(500))) > 0).float().mean())

    return min(share(1.0), share(-1.0))


@torch.no_grad()
def probe(gan: Any, x: Tensor, y: Tensor) -> float:
    """Return the accuracy of a ridge classifier of D's standardised features, on the last third of the images."""
    features = torch.cat([gan.D.trunk(part).flatten(1) for part in x.split(256)])
    cut, target = 2 * len(x) // 3, F.one_hot(y).float() - 1 / 12
    mean, deviation = features[:cut].mean(0), features[:cut].std(0) + 1e-5
    a, b = (features[:cut] - mean) / deviation, (features[cut:] - mean) / deviation
    weights = torch.linalg.solve(a.T @ a + 100 * torch.eye(a.shape[1]), a.T @ target[:cut])
    return float(((b @ weights).argmax(1) == y[cut:]).float().mean())


@table.signature("dcgan", "accuracy of a linear probe on D's features, 12 shapes", "untrained D", 0.4)
def features_tell_shapes(seed: int, control: bool) -> float:
    f = shapes.factors(shapes.FULL, 7, np.arange(2400))
    x = torch.from_numpy(shapes.render(shapes.FULL, f, 16)).float() / 127.5 - 1
    source = small_shapes(folder(), "shapes", 12)
    paper: dict[str, Any] = {"z_dim": 100, "d_norm": "batch", "r1": 0.0, "decay": 0.0}  # not the quick preset's D
    gan = train("dcgan", source, 0 if control else 900, seed, live=True, width=16, **paper)[0]
    return probe(gan, x, torch.from_numpy(f["shape"]))


@torch.no_grad()
def energies(gan: Any, feed: Any) -> tuple[float, float]:
    """Return D's mean energy of real images and of noise."""
    real = feed.first(500).image
    return gan.energy(real).mean().item(), gan.energy(torch.rand_like(real) * 2 - 1).mean().item()


@table.signature("ebgan", "energy of noise divided by energy of real images, on digits", "untrained D", 1.5)
def noise_has_more_energy(seed: int, control: bool) -> float:
    real, other = energies(*train("ebgan", "digits", 0 if control else 200, seed, width=16)[:2])
    return other / real


@table.signature("began", "distance of L(G)/L(x) from gamma = 0.9", "k stays 0", 0.1, least=False)
def balance(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 8, "lr": 5e-4, "beta1": 0.0, "gamma": 0.9, "k_rate": 0.0 if control else 0.05}
    means = train("began", "digits", 600, seed, kept=100, **options)[2]
    return abs(means["D/ratio"] - 0.9)


@table.signature(
    "bgan", "patterns found (of 30), times the share of valid samples (of 2,000)", "all samples have equal weight", 3
)
def patterns(seed: int, control: bool) -> float:
    with replaced(bgan, "weights", uniform) if control else nullcontext():
        gan, feed, _ = train("bgan", "bars-and-stripes", 800, seed, width=128)
    right = {tuple(row) for row in feed.dataset.columns["image"].flatten(1).gt(0).tolist()}
    with torch.no_grad():
        drawn = [tuple(row) for row in gan.generate(gan.prior(2000)).flatten(1).gt(0).tolist()]
    return len(right & set(drawn)) * sum(row in right for row in drawn) / len(drawn)


def uniform(logits: Tensor) -> Tensor:
    """Give all samples the same weight."""
    return torch.full_like(logits, 1 / logits.shape[1])
