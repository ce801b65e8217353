"""Signatures of variants that generate from noise: modes, features, energies, patterns."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.data.synthetic import shapes
from gancli.data.synthetic.points import MIXTURES
from gancli.evaluation.known_truth import points
from gancli.images.scatter import to_points
from gancli.variants import bgan
from tests.variants.signatures.table import Table, folder, replaced
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
    gan = train("dcgan", source, 0 if control else 900, seed, live=True, width=16)[0]
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
