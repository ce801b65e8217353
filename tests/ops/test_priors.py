"""The priors in the plane are what they are said to be."""

import math

import torch

from gancli.ops import priors
from gancli.system.seeds import seed_all

CPU = torch.device("cpu")


def polar(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return z.norm(dim=1), torch.atan2(z[:, 1], z[:, 0]) % (2 * math.pi)


def test_the_mixture_has_ten_modes_of_equal_weight() -> None:
    seed_all("mixture")
    radius, angle = polar(priors.mixture(20_000, CPU))
    counts = torch.histc(angle[radius > 1.5] + math.pi / 200, 200, 0, 2 * math.pi)  # ten bins a petal
    around = counts.view(10, 20).roll(10, 1)
    assert torch.allclose(radius.mean(), torch.tensor(2.0), atol=0.05)
    sectors = ((angle + math.pi / 10) % (2 * math.pi) / (math.pi / 5)).long()
    share = torch.bincount(sectors, minlength=10) / 20_000
    assert len(share) == 10
    assert (share - 0.1).abs().max() < 0.01
    assert (around.sum(0)[10] > 20 * around.sum(0)[0]).all()  # nothing lies between the petals


def test_the_spiral_turns_one_and_a_half_times_and_is_evenly_filled() -> None:
    seed_all("swissroll")
    z = priors.swissroll(20_000, CPU)
    radius, angle = polar(z)
    assert 2.9 < radius.max() < 3.3
    turn = radius / 3  # the angle that belongs to a radius, less the noise across
    expected = (3 * math.pi * turn) % (2 * math.pi)
    off = (angle - expected + math.pi) % (2 * math.pi) - math.pi
    assert off[radius > 1].abs().mean() < 0.25
    assert torch.allclose((turn.clamp(0, 1) ** 2).quantile(torch.tensor(0.5)), torch.tensor(0.5), atol=0.03)
