"""What each of the five core variants is known by: closed forms, and mistakes that others made and this code must not.

Closed forms are those of the papers' losses on one-dimensional normals; every check can fail, and was seen to.
"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import RMSprop

from gancli import images, losses, penalties
from gancli.data.spec import DataSpec
from gancli.gan import Clock
from gancli.nets.layers import BatchNorm2d
from gancli.variants._noise import NoiseToImage
from tests.variants.small import feed, make
from tests.variants.toys import Linear, against, normal, train_critic

SEEN_BY_BCE = {1: 1.1635, 2: 0.7126, 4: 0.1209, 8: 0.0002}  # the least D loss on N(0, 1) and N(mu, 1)
JSD = {0.5: 0.030, 1: 0.111, 2: 0.337, 4: 0.633, 8: 0.693}


def gradient(loss: Any, at: float) -> float:
    logits = torch.full((1,), float(at), requires_grad=True)
    return float(torch.autograd.grad(loss(logits), logits)[0])


def sizes(network: nn.Module) -> list[int]:
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return [layers[0].in_features, *(layer.out_features for layer in layers)]


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# ---------------------------------------------------------------------------------------------------- gan


def test_an_undecided_discriminator_costs_two_bits() -> None:
    zero = torch.zeros(8)
    assert losses.NONSATURATING.d(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert losses.NONSATURATING.g(zero).item() == pytest.approx(math.log(2))


def test_only_the_minimax_loss_is_flat_where_d_is_sure() -> None:
    assert gradient(losses.NONSATURATING.g, -10) == pytest.approx(-1, abs=1e-4)
    assert gradient(losses.MINIMAX.g, -10) == pytest.approx(-4.54e-5, rel=1e-2)


def test_the_losses_take_logits_so_nothing_overflows() -> None:
    sure = torch.tensor([1e4])
    assert losses.NONSATURATING.d(-sure, sure).item() == pytest.approx(2e4)
    assert gradient(losses.NONSATURATING.g, -1e4) == pytest.approx(-1)


@pytest.mark.parametrize("mu", [1, 2, 4])
def test_the_best_discriminator_of_two_normals_is_found(mu: int) -> None:
    """log p/q = mu^2/2 - mu x; its loss is 2 log 2 - 2 JSD."""
    critic = Linear()
    last = train_critic(against("gan", critic, normal(mu), lr=0.3, beta1=0.9), normal(), 300)
    assert critic.weight.item() == pytest.approx(-mu, rel=0.02)
    assert critic.bias.item() == pytest.approx(mu**2 / 2, rel=0.02)
    assert last["adversarial"].item() == pytest.approx(SEEN_BY_BCE[mu], rel=5e-3)


def test_swapped_sides_turn_the_discriminator_round() -> None:
    critic = Linear()
    train_critic(against("gan", critic, normal(), lr=0.1, beta1=0.9), normal(2), 300)
    assert critic.weight.item() == pytest.approx(2, rel=0.02)


def test_gan_has_the_networks_that_are_taught() -> None:
    gan: Any = make("gan", DataSpec(1, 28, 28), z_dim=100, width=256, depth=3)
    assert sizes(gan.G) == [100, 256, 512, 1024, 784]
    assert sizes(gan.D) == [784, 1024, 512, 256, 1]
    assert not any(isinstance(m, nn.Sigmoid) for m in gan.D.modules())


@pytest.mark.parametrize("name", ["gan", "dcgan", "lsgan", "wgan", "wgan-gp"])
def test_the_turn_of_d_never_reaches_g(name: str) -> None:
    gan: Any = make(name)
    turn = next(iter(gan.play(feed(gan).at(0), Clock(0, 0, 1))))
    assert turn.player == "D"
    reached = torch.autograd.grad(
        torch.stack(list(turn.terms.values())).sum(), list(gan.G.parameters()), allow_unused=True
    )
    assert all(g is None for g in reached)


def test_g_draws_anew_for_its_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    gan: Any = make("wgan-gp", n_critic=1)
    drawn: list[Tensor] = []
    prior = gan.prior
    monkeypatch.setattr(gan, "prior", lambda n: drawn.append(prior(n)) or drawn[-1], raising=False)
    list(gan.play(feed(gan).at(0), Clock(0, 0, 1)))
    assert len(drawn) == 2
    assert not torch.equal(*drawn)


def test_saved_pixels_span_black_to_white() -> None:
    ends = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
    assert images.to_pixels(ends).flatten().tolist() == [0, 128, 255]


# -------------------------------------------------------------------------------------------------- dcgan


def test_dcgan_has_the_papers_networks() -> None:
    gan: Any = make("dcgan", DataSpec(3, 64, 64), z_dim=100, width=64)
    assert count(gan.G) == 3_576_704
    assert count(gan.D) == 2_765_568
    convolutions = [m for m in gan.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    spread = torch.cat([m.weight.flatten() for m in convolutions]).std().item()
    assert spread == pytest.approx(0.02, rel=0.01)
    norms = [m for m in gan.modules() if isinstance(m, BatchNorm2d)]
    assert torch.cat([m.weight for m in norms]).mean().item() == pytest.approx(1, abs=0.01)
    assert {m.eps for m in norms} == {1e-5}  # a well-known collection passes 0.8, a momentum, for it


def test_dcgan_strides_and_leaves_the_ends_without_norm() -> None:
    gan: Any = make("dcgan")
    kinds = {type(m) for m in gan.modules()}
    assert not kinds & {nn.MaxPool2d, nn.AvgPool2d, nn.Upsample, nn.Dropout, nn.Dropout2d, nn.Linear}
    generator, trunk = list(gan.G.net), list(gan.D.trunk)
    assert isinstance(generator[-1], nn.Tanh)
    assert isinstance(generator[-2], nn.ConvTranspose2d)
    assert isinstance(trunk[0], nn.Conv2d)
    assert isinstance(trunk[1], nn.LeakyReLU)
    assert all(m.stride == (2, 2) for m in trunk if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("name", ["dcgan", "lsgan"])
def test_batch_norm_sees_reals_and_fakes_apart(name: str) -> None:
    gan: Any = make(name)
    batch, seen = feed(gan).at(0), []
    gan.D.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    next(iter(gan.play(batch, Clock(0, 0, 1))))
    assert [len(x) for x in seen] == [len(batch)] * 2
    assert torch.equal(seen[0], batch.image)


# -------------------------------------------------------------------------------------------------- lsgan


def test_least_squares_at_one_half() -> None:
    half = torch.full((4,), 0.5)
    assert losses.LEAST_SQUARES.d(half, half).item() == pytest.approx(0.25)
    assert losses.LEAST_SQUARES.g(half).item() == pytest.approx(0.125)


@pytest.mark.parametrize("logit", [-9.0, 0.0, 1.0, 11.0])
def test_the_pull_of_least_squares_grows_with_the_error(logit: float) -> None:
    assert gradient(losses.LEAST_SQUARES.g, logit) == pytest.approx(logit - 1)
    assert abs(gradient(losses.NONSATURATING.g, logit)) <= 1


def test_lsgan_squares_raw_logits() -> None:
    gan: Any = make("lsgan")
    assert gan.adversarial is losses.LEAST_SQUARES
    with torch.no_grad():
        gan.D.head.weight.fill_(1.0)
    assert gan.D(100 * torch.ones(8, 3, 16, 16)).max() > 1


# --------------------------------------------------------------------------------------------------- wgan


def test_after_each_turn_every_weight_is_in_the_box() -> None:
    gan: Any = make("wgan", lr=0.1)
    batch, player = feed(gan).at(0), gan.players()["D"]
    for turn in gan.play(batch, Clock(1, 0, 1)):
        torch.stack(list(turn.terms.values())).sum().backward()
        player.step()
        assert max(p.abs().max().item() for p in gan.D.parameters()) > 0.01  # the step left it
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


# ------------------------------------------------------------------------------------------------ wgan-gp


def ones(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


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


# ---------------------------------------------------------------------------- behaviour, with its controls


@pytest.mark.parametrize(("adversarial", "left"), [(losses.LEAST_SQUARES, 0.0), (losses.NONSATURATING, 1.0)])
def test_only_least_squares_pulls_fakes_that_d_takes_for_real(adversarial: losses.Adversarial, left: float) -> None:
    """Fakes at 10 that D(x) = x calls real, data at 1: squares bring them there, the control leaves them."""
    fakes = nn.Parameter(torch.full((16,), 10.0))
    player = torch.optim.SGD([fakes], lr=0.1)
    for _ in range(200):
        player.zero_grad()
        (len(fakes) * adversarial.g(fakes)).backward()
        player.step()
    assert (fakes.detach() - 1).abs().mean().item() / 9 == pytest.approx(left, abs=0.1)


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


@pytest.mark.parametrize("name", ["dcgan", "gan"])
def test_sampled_images_stay_in_range(name: str) -> None:
    gan: Any = make(name)
    assert isinstance(gan, NoiseToImage)
    with torch.no_grad():
        assert gan.generate(100 * gan.prior(16)).abs().max() <= 1
