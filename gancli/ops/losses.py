"""Adversarial losses as pairs: what D minimises on (logits of reals, logits of fakes), what G minimises on the latter.

Pure functions of logits (N,) in any precision; they reduce to a scalar in float32.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.system import dist
from gancli.system.devices import full_precision


class Adversarial(NamedTuple):
    """The two sides of a game."""

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor], Tensor]


def _nonsaturating_d(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def _nonsaturating_g(fake: Tensor) -> Tensor:
    return F.softplus(-fake.float()).mean()


def _minimax_g(fake: Tensor) -> Tensor:
    return -F.softplus(fake.float()).mean()


def _least_squares_d(real: Tensor, fake: Tensor) -> Tensor:
    return ((real.float() - 1).square().mean() + fake.float().square().mean()) / 2


def _least_squares_g(fake: Tensor) -> Tensor:
    return (fake.float() - 1).square().mean() / 2


def _wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    return fake.float().mean() - real.float().mean()


def _wasserstein_g(fake: Tensor) -> Tensor:
    return -fake.float().mean()


def patch_nce(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """Find each patch again among the patches of its image: Park et al. 2020, eq. 3.

    Unit features (N, S, C) of S places; place s of `query` belongs to place s of `key`, all others are negatives.
    """
    with full_precision(query.device):  # the temperature would magnify bf16's error
        logits = query.float() @ key.float().transpose(1, 2) / temperature  # (N, S, S)
    places = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    return F.cross_entropy(logits.flatten(0, 1), places.flatten())


def _hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    return F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()


def relativistic_pairs(high: Tensor, low: Tensor) -> Tensor:
    """-log s(high - low), pair by pair. D's loss on (reals, fakes), G's on (fakes, reals)."""
    return F.softplus(low.float() - high.float()).mean()


def relativistic_average(high: Tensor, low: Tensor) -> Tensor:
    """-log s(high - mean low) - log s(mean high - low): each against the average of the other side."""
    high, low = high.float(), low.float()
    return F.softplus(dist.mean_of_rows(low) - high).mean() + F.softplus(low - dist.mean_of_rows(high)).mean()


def smoothed(real: Tensor, fake: Tensor, target: float) -> Tensor:
    """Cross-entropy with a target below 1 for reals, and 0 for fakes: Salimans et al. 2016, section 3.4."""
    real = real.float()
    of_reals = target * F.softplus(-real) + (1 - target) * F.softplus(real)
    return of_reals.mean() + F.softplus(fake.float()).mean()


def mean_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Squared distance between the mean features of two batches, each (N, …): Salimans et al. 2016, section 3.1."""
    return dist.mean_of_rows(real.float() - fake.float()).square().sum()


NONSATURATING = Adversarial(_nonsaturating_d, _nonsaturating_g)
"""D: -log s(real) - log(1 - s(fake)); G: -log s(fake). Goodfellow et al. 2014, section 3."""

MINIMAX = Adversarial(_nonsaturating_d, _minimax_g)
"""As above, but G minimises log(1 - s(fake)), which is flat where D is sure. Goodfellow et al. 2014, eq. 1."""

LEAST_SQUARES = Adversarial(_least_squares_d, _least_squares_g)
"""a, b, c = 0, 1, 1. Mao et al. 2017, eq. 2 and 9."""

WASSERSTEIN = Adversarial(_wasserstein_d, _wasserstein_g)
"""The critic's gap between fakes and reals. Arjovsky et al. 2017, eq. 2 and 3."""


HINGE = Adversarial(_hinge_d, _wasserstein_g)
"""D: [1 - real]+ + [1 + fake]+; G: -fake. Miyato et al. 2018, eq. 16 and 17."""


# ----------------------------------------------------------------------------------------------- of codes


def kl_from_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, I)) summed over the code (N, Z): Kingma and Welling 2014, appendix B."""
    mean, logvar = mean.float(), logvar.float()
    return (mean.square() + logvar.exp() - 1 - logvar).sum(1).mean() / 2


def gaussian_nll(mean: Tensor, x: Tensor) -> Tensor:
    """-log N(x; mean, 1), summed over codes (N, c): the deviation is fixed, as in the code of InfoGAN's authors."""
    return ((mean - x).square() / 2 + math.log(2 * math.pi) / 2).sum(1).mean()
