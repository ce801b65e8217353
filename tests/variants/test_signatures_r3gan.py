"""What R3GAN is known by: a loss of pairs, slopes held at reals and at fakes in every step, and its schedules."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli import registry
from gancli.data.kinds.labelled import UNKNOWN, OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.system.seeds import seed_all
from tests.variants.small import SMALL, feed, make
from tests.variants.toys import Linear

NONE = torch.full((8,), UNKNOWN)


def unlabelled(spec: DataSpec, **options: Any) -> Any:
    kind: Any = registry.load("r3gan")
    names = ("batch", "width", "blocks", "z_dim")
    seed_all("init", 0)
    return kind(kind.hparams(**{name: SMALL[name] for name in names} | options), spec)


def with_critic(weight: list[float], **options: Any) -> Any:
    gan = unlabelled(DataSpec(len(weight), 1, 1), **options)
    gan.D = Linear(len(weight))
    gan.D.weight.data = torch.tensor(weight)
    return gan


class Shifted(nn.Module):
    def __init__(self, D: nn.Module, by: float) -> None:
        super().__init__()
        self.D, self.by = D, by

    def forward(self, *given: Tensor) -> Tensor:
        return self.D(*given) + self.by


def test_a_constant_added_to_d_changes_no_loss() -> None:
    gan: Any = make("r3gan")
    batch, fake = feed(gan).at(0), torch.randn(8, 3, 16, 16)

    def terms() -> list[float]:
        found = gan.d_terms(batch.image, fake, batch.label), gan.g_terms(fake, batch.image, batch.label)
        return [term.item() for side in found for term in side.values()]

    before = terms()
    gan.D = Shifted(gan.D, 3.0)
    assert terms() == pytest.approx(before, rel=1e-5)


def test_an_undecided_d_costs_log_2_on_both_sides() -> None:
    gan = with_critic([0.0, 0.0])
    real, fake = torch.randn(2, 8, 2, 1, 1)
    assert gan.d_terms(real, fake, NONE)["adversarial"].item() == pytest.approx(math.log(2))
    assert gan.g_terms(fake, real, NONE)["adversarial"].item() == pytest.approx(math.log(2))


def test_the_penalties_of_a_linear_critic() -> None:
    """gamma / 2 |w|^2 each, with |w| = 5."""
    gan = with_critic([3.0, 4.0], gamma=10.0)
    terms = gan.d_terms(*torch.randn(2, 8, 2, 1, 1), NONE)
    assert terms["r1"].item() == pytest.approx(125)
    assert terms["r2"].item() == pytest.approx(125)


def test_r1_is_at_reals_and_r2_at_fakes() -> None:
    gan: Any = make("r3gan")
    for block in (block for stage in gan.D.stages for block in stage):  # D would be linear otherwise
        nn.init.normal_(block.contract.weight)
    real, fake, other = torch.randn(3, 8, 3, 16, 16)
    label = torch.zeros(8, dtype=torch.int64)
    first, second, third = (gan.d_terms(*images, label) for images in ((real, fake), (other, fake), (real, other)))
    torch.testing.assert_close(first["r2"], second["r2"])
    torch.testing.assert_close(first["r1"], third["r1"])
    assert abs(first["r1"] - second["r1"]) > 1e-3 * first["r1"]
    assert abs(first["r2"] - third["r2"]) > 1e-3 * first["r2"]


def test_both_penalties_are_in_every_step() -> None:
    gan: Any = make("r3gan")
    players = gan.players()
    for step in range(4):
        log = play_step(gan, players, [feed(gan).at(0)], Clock(step, 0, 1000))
        assert log["D/r1"] > 0
        assert log["D/r2"] > 0


def test_the_settings_follow_the_authors_cosine() -> None:
    """Half way between first and last value in the middle of the first fifth of training, and constant after it."""
    gan: Any = make("r3gan", lr=2e-4, gamma=2.0, ema_kimg=500)
    found = []
    for images in (0, 100, 200, 900):
        clock = Clock(0, images, 1000)
        d = gan.schedule(clock)["D"]
        found.append((d["lr"], float(gan.gamma), d["betas"][1], gan.ema_half_life(clock)))
    expected = [(2e-4, 2, 0.9, 0), (1.25e-4, 1.1, 0.945, 250e3), (5e-5, 0.2, 0.99, 500e3), (5e-5, 0.2, 0.99, 500e3)]
    for values, wanted in zip(found, expected, strict=True):
        assert values == pytest.approx(wanted)
    quarter = gan.annealed(Clock(0, 50, 1000))
    assert quarter == pytest.approx((1 - math.cos(math.pi / 4)) / 2)


def test_gamma_is_that_of_the_authors_for_the_resolution() -> None:
    kind: Any = registry.load("r3gan")
    usual = kind.usual_gamma
    found = [usual(None, DataSpec(3, side, side)) for side in (32, 64, 256)]
    assert found == pytest.approx([0.05, 2, 150])


@pytest.mark.parametrize("spec", [DataSpec(3, 16, 16), DataSpec(2, 1, 1)], ids=str)
def test_labels_are_optional(spec: DataSpec) -> None:
    gan = unlabelled(spec)
    batch = OptionallyLabelled(torch.randn(8, spec.channels, spec.height, spec.width), NONE)
    log = play_step(gan, gan.players(), [batch], Clock(0, 0, 1000))
    assert all(torch.isfinite(value) for value in log.values())
    assert gan.prior(3).shape == (3, SMALL["z_dim"])


def test_labels_steer_both_networks() -> None:
    for spec in (DataSpec(3, 16, 16), DataSpec(2, 1, 1)):
        gan: Any = make("r3gan", spec)
        z, x = gan.prior(8), torch.randn(8, spec.channels, spec.height, spec.width)
        first, second = (torch.full((8,), k) for k in (0, 1))
        assert not torch.equal(gan.generate(gan.of_class(z, first)), gan.generate(gan.of_class(z, second)))
        assert not torch.equal(gan.logit(x, first), gan.logit(x, second))
