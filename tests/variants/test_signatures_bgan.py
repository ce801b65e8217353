"""What BGAN is known by: pixels of a few levels, and a gradient that passes no draw."""

from typing import Any

import pytest
import torch
from torch import nn

from gancli.data.request import Wanted
from gancli.data.sources import builtin
from gancli.data.spec import DataSpec
from gancli.variants.bgan import drawn, weights
from tests.variants.small import make


@pytest.mark.parametrize(("levels", "allowed"), [(2, {-1.0, 1.0}), (5, {-1.0, -0.5, 0.0, 0.5, 1.0})])
def test_pixels_are_exactly_the_levels(levels: int, allowed: set[float]) -> None:
    gan: Any = make("bgan", levels=levels)
    with torch.no_grad():
        images = gan.generate(gan.prior(64))
    assert set(images.unique().tolist()) == allowed
    z = gan.prior(4)
    assert torch.equal(gan.generate(z), gan.generate(z))  # a latent is an image: seeds can be drawn again


def test_levels_are_drawn_with_their_odds() -> None:
    odds = torch.tensor([0.1, 0.6, 0.3]).log()[None, :, None].expand(1, 3, 50_000)
    level = drawn(odds, torch.rand(1, 50_000))
    assert (torch.bincount(level.flatten()) / 50_000).tolist() == pytest.approx([0.1, 0.6, 0.3], abs=0.01)


def test_the_weights_of_the_draws_are_a_softmax_that_no_gradient_passes() -> None:
    logits = torch.randn(5, 20, requires_grad=True)
    found = weights(logits)
    torch.testing.assert_close(found, logits.detach().softmax(1), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.sum(1), torch.ones(5))
    assert not found.requires_grad


def test_g_learns_though_no_gradient_passes_a_draw() -> None:
    gan: Any = make("bgan")
    fake = gan.generate(gan.prior(8))
    assert not fake.requires_grad
    term = gan.g_terms(fake)["boundary"]
    reached = torch.autograd.grad(term, [*gan.G.parameters(), *gan.D.parameters()], allow_unused=True)
    count = len(list(gan.G.parameters()))
    assert all(g is not None and g.abs().sum() > 0 for g in reached[:count])
    assert all(g is None for g in reached[count:])


def test_without_a_preference_of_d_the_gradient_is_that_of_the_mean_likelihood_which_is_zero() -> None:
    gan: Any = make("bgan", DataSpec(1, 2, 2), draws=4000)
    for weight in gan.D.parameters():
        nn.init.zeros_(weight)
    z = gan.prior(8)
    (gradient,) = torch.autograd.grad(gan.g_terms(z)["boundary"], gan.G.net[0][-1].bias)
    assert gradient.abs().max() < 0.03
    with torch.no_grad():
        gan.D.net[-1].weight.fill_(5.0)  # a D with an opinion moves G
        gan.D.net[0].weight.fill_(0.5)
        gan.D.net[2].weight.fill_(0.5)
    (gradient,) = torch.autograd.grad(gan.g_terms(z)["boundary"], gan.G.net[0][-1].bias)
    assert gradient.abs().max() > 0.1


def test_continuous_images_go_to_the_boundary() -> None:
    gan: Any = make("bgan", levels=0)
    gan.D.forward = lambda x: x.mean((1, 2, 3)) * 0 + 3
    assert gan.g_terms(torch.zeros(4, 3, 16, 16))["boundary"].item() == pytest.approx(4.5)


def test_bars_and_stripes_are_thirty() -> None:
    images = builtin.open_builtin("bars-and-stripes", Wanted()).images
    assert images.shape == (30, 1, 4, 4)
    assert len({image.tobytes() for image in images}) == 30
    assert set(images.flatten().tolist()) == {0, 255}
