"""What f-GAN and the relativistic GANs are known by: the divergences that their best D reaches, and differences."""

import math
from typing import Any

import pytest
import torch

from gancli.gan import Clock
from gancli.ops import divergences, losses
from tests.variants.small import feed, make
from tests.variants.toys import Linear, against, normal, train_critic

# ---------------------------------------------------------------------------------------------------------------- f-GAN


BOUNDS = {  # the divergence of N(0, 1) from N(mu, 1)
    "kl": {1: 0.5, 2: 2.0},
    "reverse-kl": {1: 0.5, 2: 2.0},
    "pearson": {1: 1.7183},
    "squared-hellinger": {1: 0.2350, 2: 0.7869},
    "jensen-shannon": {1: 0.2228, 2: 0.6737},
    "gan": {1: -1.1635, 2: -0.7126},
}
BEST = {  # V of the likelihood ratio r = p / q for which g(V) = f'(r)
    "kl": lambda log_r: 1 + log_r,
    "reverse-kl": lambda log_r: log_r,
    "pearson": lambda log_r: 2 * (log_r.exp() - 1),
    "squared-hellinger": lambda log_r: log_r / 2,
    "jensen-shannon": lambda log_r: log_r,
    "gan": lambda log_r: log_r,
}


def bound(name: str, V: Any, mu: float) -> float:
    real, fake = normal(points=200_001).flatten(), normal(mu, 200_001).flatten()
    return -divergences.BY_NAME[name].d(V(real).double(), V(fake).double()).item()


@pytest.mark.parametrize("name", BOUNDS)
def test_the_best_function_reaches_the_divergence(name: str) -> None:
    for mu, value in BOUNDS[name].items():
        found = bound(name, lambda x, mu=mu: BEST[name](mu**2 / 2 - mu * x), mu)
        assert found == pytest.approx(value, rel=5e-3)


@pytest.mark.parametrize("name", BOUNDS)
def test_no_other_function_exceeds_the_divergence(name: str) -> None:
    for seed in range(20):
        a, b, c = torch.randn(3, generator=torch.Generator().manual_seed(seed))
        assert bound(name, lambda x, a=a, b=b, c=c: a + b * x + c * x.sin(), 1) <= BOUNDS[name][1] + 1e-3


def test_fgan_takes_the_divergence_it_is_told() -> None:
    kl: Any = make("fgan", divergence="kl")
    assert kl.adversarial is divergences.BY_NAME["kl"]
    last = train_critic(against("fgan", Linear(), normal(1), divergence="kl", lr=0.02, beta1=0.9), normal(), 400)
    assert -last["adversarial"].item() == pytest.approx(0.5, rel=0.05)  # log p/q is linear here


def test_the_gan_of_fgan_is_the_gan() -> None:
    real, fake = torch.randn(2, 9)
    ours, theirs = divergences.BY_NAME["gan"], losses.NONSATURATING
    torch.testing.assert_close(ours.d(real, fake), theirs.d(real, fake))
    torch.testing.assert_close(ours.g(fake), theirs.g(fake))


# --------------------------------------------------------------------------------------------------------- relativistic


@pytest.mark.parametrize("loss", [losses.relativistic_pairs, losses.relativistic_average])
def test_only_differences_of_logits_count(loss: Any) -> None:
    real, fake = torch.randn(2, 9)
    torch.testing.assert_close(loss(real + 3, fake + 3), loss(real, fake))
    plain = losses.NONSATURATING.d
    assert abs(plain(real + 3, fake + 3) - plain(real, fake)) > 0.1


def test_an_undecided_relativistic_discriminator() -> None:
    zero = torch.zeros(4)
    assert losses.relativistic_pairs(zero, zero).item() == pytest.approx(math.log(2))
    assert losses.relativistic_average(zero, zero).item() == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize("name", ["rpgan", "ragan"])
def test_the_reals_are_in_the_loss_of_g(name: str) -> None:
    """A popular copy overwrites G's loss with a plain one, another detaches the real side."""
    gan: Any = make(name)
    batch, seen = feed(gan).at(0), []
    gan.D.register_forward_hook(lambda *given: seen.append(given[2]))
    d, g = gan.play(batch, Clock(0, 0, 1))
    assert (d.player, g.player, len(seen)) == ("D", "G", 4)
    real, fake = (logits.detach().requires_grad_() for logits in seen[2:])
    loss = type(gan).contrast(fake, real)
    assert torch.equal(loss, g.terms["adversarial"])
    to_fake, to_real = torch.autograd.grad(loss, [fake, real])
    assert to_fake.sum() < 0 < to_real.sum()  # G raises its own above the reals
    assert float(to_fake.sum() + to_real.sum()) == pytest.approx(0, abs=1e-6)
