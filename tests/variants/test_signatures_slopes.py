"""What DRAGAN and SNGAN are known by: where and how they hold D's slope."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.nets.layers import spectral
from gancli.ops import losses, penalties
from tests.variants.small import feed, make
from tests.variants.toys import Linear, against, normal, ones, train_critic

# --------------------------------------------------------------------------------------------------------------- dragan


def test_the_penalty_of_dragan_is_around_reals_and_over_whole_images() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return ones(x)

    real = torch.full((6, 3, 4, 4), 5.0) + torch.randn(6, 3, 4, 4)
    assert penalties.around(critic, real, 1.0).item() == pytest.approx(35.14, abs=0.01)
    assert penalties.around(critic, real, 48**0.5).item() == pytest.approx(0, abs=1e-6)
    moved = seen[0] - real
    assert moved.min() >= 0
    assert 0 < moved.max() <= real.std() / 2


def test_dragan_ignores_the_fakes_in_its_penalty_and_trains_on_both_terms() -> None:
    gan: Any = make("dragan")
    real, other = feed(gan).at(0).image, torch.randn(2, 8, 3, 16, 16)
    found = []
    for fake in other:
        torch.manual_seed(0)
        found.append(gan.d_terms(real, fake))
    assert torch.equal(found[0]["gradient_penalty"], found[1]["gradient_penalty"])
    assert not torch.equal(found[0]["adversarial"], found[1]["adversarial"])
    for term in found[0].values():
        assert torch.autograd.grad(term, gan.D.head.weight, retain_graph=True)[0].abs().sum() > 0


@pytest.mark.parametrize(("weight", "low", "high"), [(10.0, 0.7, 1.3), (0.0, 3.0, 1e9)])
def test_the_slope_near_the_data_is_held_only_by_the_penalty(weight: float, low: float, high: float) -> None:
    critic, real, fake = Linear(), normal(0, 64), normal(0.5, 64)
    train_critic(against("dragan", critic, fake + 3, lr=0.1, gp_weight=weight), real, 400)
    assert low <= abs(critic.weight.item()) <= high


# ---------------------------------------------------------------------------------------------------------------- sngan


def test_the_scale_of_the_weights_means_nothing_to_d() -> None:
    gan: Any = make("sngan")
    x = torch.randn(4, 3, 16, 16)
    before = gan.D(x)
    with torch.no_grad():
        for weight in gan.D.parameters():
            weight.mul_(10)
    torch.testing.assert_close(gan.D(x), before, rtol=1e-4, atol=1e-6)


def top(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))


def test_every_layer_of_d_and_none_of_g_has_spectral_norm_one_through_training() -> None:
    gan: Any = make("sngan", lr=1e-3, n_critic=1)
    layers = [m for m in gan.D.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 3
    assert not any(isinstance(m, spectral.SpectralNorm) for m in gan.G.modules())
    players = gan.players()
    for step in range(30):
        play_step(gan, players, [feed(gan).at(0)], Clock(step, 0, 1))
    for layer in layers:
        assert top(layer.weight) == pytest.approx(1, abs=0.05)
    for _ in range(40):
        spectral.power_step(gan.D)
    for layer in layers:
        assert top(layer.weight) == pytest.approx(1, abs=1e-3)


def test_u_and_v_are_saved_and_stand_still_between_steps() -> None:
    gan: Any = make("sngan")
    assert sum(name.endswith((".u", ".v")) for name in gan.state_dict()) == 2 * 3
    x = torch.randn(4, 3, 16, 16)
    assert torch.equal(gan.D(x), gan.D(x))  # looking at D does not change it
    assert torch.equal(gan.D(x), gan.eval().D(x))


def test_a_normalised_network_is_no_steeper_than_one() -> None:
    gan: Any = make("sngan", DataSpec(2, 1, 1), width=16)
    x, y = torch.randn(2, 200, 2, 1, 1)
    for _ in range(50):
        spectral.power_step(gan.D)
    assert ((gan.D(x) - gan.D(y)).abs() <= (x - y).flatten(1).norm(dim=1) * 1.001).all()


def test_the_hinge_stops_where_d_is_sure() -> None:
    logits = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    assert torch.autograd.grad(losses.HINGE.d(logits, torch.zeros(1)), logits)[0].tolist() == pytest.approx(
        [-1 / 3, -1 / 3, 0]
    )
    assert torch.autograd.grad(losses.HINGE.d(torch.zeros(1), logits), logits)[0].tolist() == pytest.approx(
        [0, 1 / 3, 1 / 3]
    )
