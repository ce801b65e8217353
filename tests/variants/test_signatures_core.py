"""What GAN, DCGAN and LSGAN are known by: closed forms, and mistakes that others made and this code must not.

Closed forms are those of the papers' losses on one-dimensional normals; every check can fail, and was seen to.
"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.families.noise import NoiseToImage
from gancli.gan import Clock
from gancli.images.pixels import to_pixels
from gancli.nets.layers.norms import BatchNorm2d
from gancli.ops import losses
from tests.variants.small import feed, make
from tests.variants.toys import Linear, against, normal, train_critic

SEEN_BY_BCE = {1: 1.1635, 2: 0.7126, 4: 0.1209, 8: 0.0002}  # the least D loss on N(0, 1) and N(mu, 1)


def gradient(loss: Any, at: float) -> float:
    logits = torch.full((1,), float(at), requires_grad=True)
    return float(torch.autograd.grad(loss(logits), logits)[0])


def sizes(network: nn.Module) -> list[int]:
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return [layers[0].in_features, *(layer.out_features for layer in layers)]


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# ------------------------------------------------------------------------------------------------------------------ gan


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
    assert to_pixels(ends).flatten().tolist() == [0, 128, 255]


# ---------------------------------------------------------------------------------------------------------------- dcgan


def test_dcgan_has_the_papers_networks() -> None:
    gan: Any = make("dcgan", DataSpec(3, 64, 64), z_dim=100, width=64)
    assert count(gan.G) == 3_576_704
    assert count(gan.D) == 2_765_633
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


# ---------------------------------------------------------------------------------------------------------------- lsgan


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


# ----------------------------------------------------------------------------------------- behaviour, with its controls


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


@pytest.mark.parametrize("name", ["dcgan", "gan"])
def test_sampled_images_stay_in_range(name: str) -> None:
    gan: Any = make(name)
    assert isinstance(gan, NoiseToImage)
    with torch.no_grad():
        assert gan.generate(100 * gan.prior(16)).abs().max() <= 1
