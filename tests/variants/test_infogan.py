"""InfoGAN: codes that are found without labels."""

import math
from typing import Any

import pytest
import torch

from gancli.data.kinds.images import Images
from gancli.engine.step import parameters
from gancli.ops import losses
from tests.variants.small import feed, make
from tests.variants.turns import gradients, turns


def test_infogan_is_given_no_labels() -> None:
    gan: Any = make("infogan")
    assert gan.data is Images
    assert gan.spec.classes == ()


def test_infogans_q_stands_on_ds_trunk() -> None:
    gan: Any = make("infogan")
    d, g = gan.players()["D"], gan.players()["G"]
    trunk = {id(p) for p in gan.D.trunk.parameters()}
    moved = {id(p) for p in parameters(d)}
    assert trunk <= moved
    assert {id(p) for p in gan.Q.parameters()} <= moved
    assert not moved & {id(p) for p in parameters(g)}
    category, _ = gan.codes(gan.D.trunk(torch.randn(4, 3, 16, 16)))
    assert len(gradients(category.sum(), gan.D.trunk)) == len(trunk)


def test_infogans_information_is_at_most_the_entropy_of_the_code() -> None:
    gan: Any = make("infogan")
    z = gan.prior(8)
    given = gan.parts(z)[1]
    for sure in (0.0, 1.0, 50.0, -50.0):
        gan.codes = lambda _, sure=sure: (sure * given, torch.zeros(8, 2))
        terms, stats = gan.information(torch.empty(8, 0), z)
        assert stats["information"] <= math.log(10) + 1e-6
    gan.codes = lambda _: (50 * given, torch.zeros(8, 2))
    terms, stats = gan.information(torch.empty(8, 0), z)
    assert terms["category"] < 1e-3  # raw logits: no softmax before the cross-entropy
    assert stats["information"] == pytest.approx(math.log(10), abs=1e-3)


def test_infogan_the_deviation_is_fixed_and_every_image_counts() -> None:
    x = torch.zeros(4, 1)
    assert losses.gaussian_nll(x + 0.5, x) == pytest.approx(0.5 * 0.25 + 0.9189, abs=1e-4)
    last_is_off = torch.tensor([[0.0], [0.0], [0.0], [2.0]])
    assert losses.gaussian_nll(last_is_off, x) > losses.gaussian_nll(x, x) + 0.4


def test_infogans_generator_is_moved_by_every_code() -> None:
    gan: Any = make("infogan")
    turn = list(turns(gan, feed(gan).at(0)))[1]
    for term in ("category", "continuous"):
        assert max(g.abs().max() for g in gradients(turn.terms[term], gan.G)) > 0


def test_infogans_continuous_codes_fill_their_range() -> None:
    gan: Any = make("infogan")
    codes = gan.parts(gan.prior(500))[2]
    assert codes.shape == (500, 2)
    assert codes.abs().max() <= 1
    assert codes.min() < -0.9
    assert codes.max() > 0.9


def test_infogan_needs_no_continuous_codes() -> None:
    gan: Any = make("infogan", continuous=0)
    assert set(next(turns(gan, feed(gan).at(0))).terms) == {"adversarial", "category"}


@pytest.mark.parametrize(("name", "trunk", "first"), [("infogan", "trunk", 2), ("ebgan", "encoder", 2)])
def test_each_image_goes_through_a_trunk_once_a_turn(name: str, trunk: str, first: int) -> None:
    gan: Any = make(name, n_critic=1)
    calls: list[int] = []
    getattr(gan.D, trunk).register_forward_hook(lambda *_: calls.append(1))
    counts = []
    for _ in turns(gan, feed(gan).at(0)):
        counts.append(len(calls))
        calls.clear()
    assert counts == [first, 1]
