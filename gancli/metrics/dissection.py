"""How well the units of a generator agree with concepts.

Bau et al. 2019, "GAN Dissection: Visualizing and Understanding Generative Adversarial Networks", arXiv:1811.10597,
section 3.1. A unit that exceeds a threshold *fires*; firing and the presence of a concept are compared point by point.

Letters: U units, P points of images, K labels of which each point has one, C concepts, T thresholds. A concept is a
set of labels, so concepts may overlap.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

MATCHED = 0.04  # IoU above which a unit detects a concept (Bau et al. 2017, arXiv:1704.05796, section 2.2)
THRESHOLDS = 64  # tried for each unit
SHARES = (0.95, 0.001)  # of the points that exceed the lowest and the highest threshold
MOST_VALUES = 2**15  # of a unit, to estimate its quantiles


class Agreement(NamedTuple):
    """The points where a unit fires and a concept is present, and those of each of the two; they broadcast."""

    both: Tensor
    fires: Tensor
    present: Tensor
    points: Tensor


class Match(NamedTuple):
    """How each unit matches each concept, at the threshold that tells most about it: all (U, C)."""

    iou: Tensor
    iqr: Tensor
    threshold: Tensor


def thresholds(values: Tensor) -> Tensor:
    """Return increasing thresholds (U, T) for activations (U, P): quantiles that are denser towards the top."""
    values = values[:, :: max(1, values.shape[1] // MOST_VALUES)].float().sort(dim=1).values
    share = torch.logspace(math.log10(SHARES[0]), math.log10(SHARES[1]), THRESHOLDS, dtype=torch.float64)
    place = ((1 - share) * (values.shape[1] - 1)).round().long()
    return values[:, place.to(values.device)].contiguous()


def histogram(values: Tensor, label: Tensor, bounds: Tensor, labels: int) -> Tensor:
    """Count the points of each label between thresholds: (U, K, T + 1) for activations (U, P) and labels (P,).

    Points of a negative label do not count.
    """
    known = label >= 0
    values, label = values[:, known].contiguous(), label[known]
    units, bins = len(values), bounds.shape[1] + 1
    place = torch.searchsorted(bounds, values)  # how many thresholds a value exceeds
    place += label * bins + torch.arange(units, device=values.device)[:, None] * (labels * bins)
    return torch.bincount(place.flatten(), minlength=units * labels * bins).view(units, labels, bins)


def agreement(counts: Tensor, members: Tensor) -> Agreement:
    """Compare firing with concepts at every threshold, (U, C, T): counts are (U, K, T + 1), members bool (K, C)."""
    above = counts.double().flip(2).cumsum(2).flip(2)[:, :, 1:]  # points that exceed threshold t, (U, K, T)
    both = torch.einsum("ukt,kc->uct", above, members.double())
    of_label = counts[0].sum(1).double()  # the same for every unit
    present = (of_label @ members.double())[None, :, None]
    return Agreement(both, above.sum(1)[:, None], present, of_label.sum())


def iou(found: Agreement) -> Tensor:
    """Return the intersection over the union of firing and presence; 0 where both are empty."""
    return found.both / (found.fires + found.present - found.both).clamp(min=1)


def information_quality(found: Agreement) -> Tensor:
    """Return I(firing; presence) / H(firing, presence), in [0, 1]; 0 where both are constant."""
    fires, present = found.fires / found.points, found.present / found.points
    both = found.both / found.points
    joint = _entropy(both, fires - both, present - both, 1 - fires - present + both)
    shared = _entropy(fires, 1 - fires) + _entropy(present, 1 - present) - joint
    return torch.where(joint > 0, shared.clamp(min=0) / joint.clamp(min=1e-12), 0.0)


def _entropy(*shares: Tensor) -> Tensor:
    return sum((-torch.xlogy(share, share.clamp(min=0)) for share in shares), torch.zeros(()).to(shares[0]))


def matches(halves: tuple[Tensor, Tensor], bounds: Tensor, members: Tensor) -> Match:
    """Match units and concepts: thresholds are chosen on the counts of some images, and scored on those of others.

    The paper takes the threshold of the largest information quality. Here the unit must also fire more often where
    the concept is present: a unit that fires everywhere else tells as much, but detects the opposite.
    """
    seen, scored = (agreement(counts, members) for counts in halves)
    positive = seen.both * seen.points > seen.fires * seen.present
    best = torch.where(positive, information_quality(seen), -1.0).argmax(2, keepdim=True)
    tables = iou(scored), information_quality(scored), bounds[:, None].expand(-1, members.shape[1], -1)
    at_best, quality, threshold = (table.gather(2, best).squeeze(2) for table in tables)
    return Match(at_best, quality, threshold)
