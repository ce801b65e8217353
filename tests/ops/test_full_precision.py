"""What must be float32 under autocast, and is safe at the ends of its range."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets import autoencoder
from gancli.nets.layers import spectral
from gancli.ops import divergences, losses


def sigma(_: int) -> Tensor:
    layer = nn.Linear(64, 48)
    spectral.normalise(layer)
    spectral.power_step(layer)
    return layer.weight


def nce(_: int) -> Tensor:
    q, k = (F.normalize(torch.randn(2, 40, 16), dim=2) for _ in "qk")
    return losses.patch_nce(q, k, 0.07)


def repelling(_: int) -> Tensor:
    return autoencoder.repelling(torch.randn(16, 24))


@pytest.mark.parametrize("compute", [sigma, nce, repelling])
@given(seed=st.integers(0, 50))
def test_autocast_changes_nothing(compute: Callable[[int], Tensor], seed: int) -> None:
    torch.manual_seed(seed)
    plain = compute(seed)
    torch.manual_seed(seed)
    with torch.autocast("cpu", torch.bfloat16):
        found = compute(seed)
    assert torch.equal(found, plain)


# ------------------------------------------------------------------------------------------- f-divergences

PLAIN: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {  # g, and f* of g: tables 1 and 2
    "kl": (lambda v: v, lambda v: torch.exp(v - 1)),
    "reverse-kl": (lambda v: -torch.exp(-v), lambda v: v - 1),
    "pearson": (lambda v: v, lambda v: v.square() / 4 + v),
    "squared-hellinger": (lambda v: 1 - torch.exp(-v), torch.expm1),
    "jensen-shannon": (lambda v: math.log(2) - F.softplus(-v), lambda v: F.softplus(v) - math.log(2)),
    "gan": (lambda v: -F.softplus(-v), F.softplus),
}


@pytest.mark.parametrize("name", PLAIN)
@given(v=st.floats(-29, 29))
def test_divergences_are_exact_in_the_useful_range(name: str, v: float) -> None:
    activation, conjugate = PLAIN[name]
    at, zero = torch.tensor([v]), torch.zeros(1)
    assert divergences.BY_NAME[name].g(at) == -activation(at)
    assert divergences.BY_NAME[name].d(zero, at) == conjugate(at) - activation(zero)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("v", [1e4, 500.0, 95.0, 50.0, -50.0, -95.0, -500.0, -1e4])
def test_divergences_and_their_gradients_are_finite_far_away(name: str, v: float) -> None:
    loss = divergences.BY_NAME[name]
    for judge in (lambda x: loss.d(x, x * 0), lambda x: loss.d(x * 0, x), loss.g):
        at = torch.tensor([v], requires_grad=True)
        value = judge(at)
        (slope,) = torch.autograd.grad(value, at)
        assert torch.isfinite(value)
        assert torch.isfinite(slope.square()).all()  # which Adam averages


@pytest.mark.parametrize("name", PLAIN)
def test_d_loses_more_the_further_it_is_wrong(name: str) -> None:
    v, zero = torch.linspace(-200, 200, 401), torch.zeros(1)
    on_fakes = torch.stack([divergences.BY_NAME[name].d(zero, at[None]) for at in v])
    on_reals = torch.stack([divergences.BY_NAME[name].d(at[None], zero) for at in v])
    assert (on_reals.diff() <= 0).all()
    assert (on_fakes[v >= -2].diff() >= 0).all()  # Pearson's conjugate falls below -2
