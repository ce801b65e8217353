"""What each encoder is known by after a short training, with a control arm that must fail. Run with `-m slow`."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from gancli import registry
from gancli.data.feed import Feed
from gancli.data.images import Images
from gancli.data.sources import Request
from gancli.gan import Clock
from gancli.seeds import seed_all
from gancli.step import play_step

pytestmark = pytest.mark.slow
SEEDS = pytest.mark.parametrize("seed", range(5))
Change = Callable[[Any], None]


def train(name: str, data: Request, seed: int, change: Change | None = None, **options: Any) -> tuple[Any, Feed]:
    """Train a variant without its averages, with something changed in it; also give what it was trained on."""
    kind, dataset = registry.load(name), Images.open(data)
    seed_all("init", seed)
    gan: Any = kind(kind.hparams(**options), dataset.spec)
    if change:
        change(gan)
    players, feed = gan.players(), Feed(dataset, gan.hp.batch, seed, torch.device("cpu"))
    clock = Clock(0, 0, int(gan.hp.kimg * 1000))
    while clock.images < clock.total:
        seed_all("step", seed, clock.step)
        play_step(gan, players, [feed.at(clock.images)], clock)
        clock = Clock(clock.step + 1, clock.images + gan.hp.batch, clock.total)
    seed_all("judged")
    return gan.eval().requires_grad_(False), feed


# ------------------------------------------------------------------------------------------------ AAE


def distance_to_prior(gan: Any, feed: Feed) -> float:
    """Kolmogorov and Smirnov's distance of the codes from N(0, 1), on the worse axis."""
    code = gan.encode(feed.first(1000).image).sort(0).values
    below = torch.special.ndtr(code)
    return float((below - (torch.arange(len(code))[:, None] + 0.5) / len(code)).abs().max())


def without_adversary(gan: Any) -> None:
    play = gan.play
    gan.play = lambda batch, clock: (turn for turn in play(batch, clock) if turn.player != "E")


AAE = {"width": 128, "lr": 1e-3, "kimg": 30}


@SEEDS
def test_the_adversary_makes_codes_follow_the_prior(seed: int) -> None:
    assert distance_to_prior(*train("aae", Request("digits"), seed, **AAE)) < 0.2
    assert distance_to_prior(*train("aae", Request("digits"), seed, without_adversary, **AAE)) > 0.2


# ---------------------------------------------------------------------------------------------- BiGAN


def inversion(gan: Any, feed: Feed) -> float:
    """|x - G(E(x))| over |x - G(E(y))| for another image y: 1 when E says nothing of its image."""
    x = feed.first(512).image
    again = gan.generate(gan.encode(x))
    right, wrong = ((x - y).flatten(1).norm(dim=1).mean() for y in (again, again.roll(1, 0)))
    return float(right / wrong)


def blind(gan: Any) -> None:
    judge = gan.D.forward
    gan.D.forward = lambda x, z: judge(x, torch.zeros_like(z))


BIGAN = {"width": 128, "z_dim": 8, "lr": 5e-4, "kimg": 60}


@SEEDS
def test_e_learns_to_invert_g_unless_d_is_blind_to_the_latent(seed: int) -> None:
    assert inversion(*train("bigan", Request("digits"), seed, **BIGAN)) < 0.8
    assert inversion(*train("bigan", Request("digits"), seed, blind, **BIGAN)) > 0.9
