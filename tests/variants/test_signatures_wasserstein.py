"""What the critics of WGAN and WGAN-GP are known by: boxes, gaps and slopes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import RMSprop

from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.ops import losses, penalties
from tests.variants.small import feed, make
from tests.variants.toys import Linear, against, normal, ones, train_critic

JSD = {0.5: 0.030, 1: 0.111, 2: 0.337, 4: 0.633, 8: 0.693}


# ----------------------------------------------------------------------------------------------------------------- wgan


def test_after_each_turn_every_weight_is_in_the_box() -> None:
    gan: Any = make("wgan", lr=0.1)
    batch, player = feed(gan).at(0), gan.players()["D"]
    for turn in gan.play(batch, Clock(1, 0, 1)):
        torch.stack(list(turn.terms.values())).sum().backward()
        player.step()
        assert max(p.abs().max().item() for p in gan.D.parameters()) > 0.01  # the step left it
    play_step(gan, gan.players(), [batch], Clock(1, 0, 1))
    assert max(p.abs().max().item() for p in gan.D.parameters()) <= 0.01


def test_wgan_steps_without_momentum_and_without_norm_in_the_critic() -> None:
    gan: Any = make("wgan")
    assert gan.hp.n_critic == 5
    assert all(isinstance(p, RMSprop) and not p.param_groups[0]["momentum"] for p in gan.players().values())
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm | nn.Sigmoid) for m in gan.D.modules())


def test_the_gap_of_a_clipped_linear_critic_is_linear_where_jsd_saturates() -> None:
    """The figure of the paper: c times the distance, however far; a discriminator's JSD stops at log 2."""
    for mu, jsd in JSD.items():
        last = train_critic(against("wgan", Linear(), normal(mu), lr=1e-2), normal(), 12)
        assert -last["adversarial"].item() == pytest.approx(0.01 * mu, rel=1e-4)
        ratio = mu**2 / 2 - mu * normal()  # the best logit on reals, log p/q; by symmetry the negative on fakes
        best = losses.NONSATURATING.d(ratio.flatten(), (mu**2 / 2 - mu * normal(mu)).flatten())
        assert math.log(2) - best.item() / 2 == pytest.approx(jsd, abs=1e-3)


def test_the_gap_counts_every_pixel() -> None:
    apart = torch.tensor([0.3, -0.5, 0.2])  # c |difference of means|_1
    real = torch.randn(64, 3, 1, 1)
    gan = against("wgan", Linear(3), real + apart[:, None, None], lr=1e-2)
    last = train_critic(gan, real, 12)
    assert -last["adversarial"].item() == pytest.approx(0.01, rel=1e-3)


# -------------------------------------------------------------------------------------------------------------- wgan-gp


def test_the_penalty_takes_the_norm_over_all_of_an_image() -> None:
    """(sqrt 48 - 1)^2; the norm over channels alone, as in two popular copies, gives .536."""
    real, fake = torch.randn(2, 5, 3, 4, 4)
    assert penalties.interpolated(ones, real, fake).item() == pytest.approx(35.14, abs=0.01)


def test_each_pair_is_mixed_by_one_number() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return ones(x)

    penalties.interpolated(critic, torch.zeros(6, 3, 4, 4), torch.ones(6, 3, 4, 4))
    mixed = seen[0].flatten(1)
    assert torch.equal(mixed.min(1).values, mixed.max(1).values)
    assert len(mixed[:, 0].unique()) == 6
    assert mixed.min() >= 0
    assert mixed.max() <= 1


def test_the_penalty_moves_every_layer_in_float32_whatever_the_autocast() -> None:
    first, last = nn.Linear(48, 8), nn.Linear(8, 1)
    critic = nn.Sequential(nn.Flatten(), first, nn.Tanh(), last)
    computed: list[torch.dtype] = []
    first.register_forward_hook(lambda *given: computed.append(given[2].dtype))
    real, fake = torch.randn(2, 5, 3, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        penalty = penalties.interpolated(critic, real, fake)
    assert computed == [torch.float32]
    for weight in (first.weight, last.weight):
        assert torch.autograd.grad(penalty, weight, retain_graph=True)[0].abs().sum() > 0


@pytest.mark.parametrize(("distance", "slope", "gap"), [(2.0, 1.1, 2.2), (4.0, 1.2, 4.8)])
def test_the_penalised_slope_is_the_closed_form(distance: float, slope: float, gap: float) -> None:
    """Least of -w d + lambda (w - 1)^2: w = 1 + d / 2 lambda."""
    critic = Linear()
    gan = against("wgan-gp", critic, normal(distance, 64), lr=0.01, gp_weight=10.0)
    last = train_critic(gan, normal(0, 64), 200)
    assert -critic.weight.item() == pytest.approx(slope, abs=0.01)
    assert -last["adversarial"].item() == pytest.approx(gap, abs=0.05)


def test_the_slope_is_held_from_both_sides() -> None:
    """Without a gap to gain, a flat critic is pushed up to slope 1, not left at 0."""
    flat = Linear()
    with torch.no_grad():
        flat.weight.fill_(0.5)
    train_critic(against("wgan-gp", flat, normal(0, 64), lr=0.05), normal(0, 64), 100)
    assert flat.weight.item() == pytest.approx(1, abs=0.01)


def test_wgan_gp_judges_each_image_on_its_own() -> None:
    """Batch norm would tie them, and its critic would pass every other test."""
    gan: Any = make("wgan-gp")
    x = torch.randn(8, 3, 16, 16)
    torch.testing.assert_close(gan.D(x)[:2], gan.D(x[:2]), rtol=1e-4, atol=1e-5)
    hp = gan.hparams()
    assert (hp.gp_weight, hp.n_critic, hp.lr, hp.beta1, hp.beta2) == (10, 5, 1e-4, 0, 0.9)


# ----------------------------------------------------------------------------------------- behaviour, with its controls


def mlp_critic() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)
    return nn.Sequential(*layers)


def share_at_the_edge(critic: nn.Module) -> float:
    weights = torch.cat([p.detach().abs().flatten() for p in critic.parameters()])
    return float((weights > 0.95 * weights.max()).float().mean())


@pytest.mark.parametrize(("name", "low", "high"), [("wgan", 0.6, 1.0), ("wgan-gp", 0.0, 0.2)])
def test_clipping_drives_weights_to_the_edge_and_the_penalty_does_not(name: str, low: float, high: float) -> None:
    """Gulrajani et al. 2017, figure 1 (b)."""
    angle = torch.arange(64) / 64 * 2 * math.pi
    real = torch.stack([angle.cos(), angle.sin()], 1)[:, :, None, None]
    critic = mlp_critic()
    train_critic(against(name, critic, real * 0.3, lr=1e-3), real, 300)
    assert low <= share_at_the_edge(critic) <= high
