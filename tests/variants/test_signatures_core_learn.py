"""What the core variants are known by after a short training, each beside a control that must fail. Slow."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.data import shapes
from gancli.data.feed import Feed
from gancli.data.points import MIXTURES
from gancli.data.sources import Request
from gancli.gan import GAN, Clock
from gancli.metrics import points
from gancli.scatter import to_points
from gancli.seeds import seed_all
from gancli.step import play_step

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


def trained(name: str, data: str, steps: int, **options: Any) -> tuple[GAN[Any], Feed[Any]]:
    kind = registry.load(name)
    dataset = kind.data.open(Request(data))
    hp = kind.hparams(**{**kind.suited(dataset.spec), **options})
    seed_all("init", 0)
    gan = kind(hp, dataset.spec)
    feed, players, clock = Feed(dataset, hp.batch, 0, CPU), gan.players(), Clock(0, 0, steps * hp.batch)
    for _ in range(steps):
        seed_all("step", 0, clock.step)
        play_step(gan, players, [feed.at(clock.images)], clock)
        clock = Clock(clock.step + 1, clock.images + hp.batch, clock.total)
    return gan.eval(), feed


@torch.no_grad()
def modes(gan: GAN[Any], feed: Feed[Any]) -> float:
    seed_all("modes")
    return points.score(MIXTURES["ring8"], to_points(gan.fakes(feed.first(2500))))["modes_hit"]


def test_the_penalty_finds_the_ring_and_without_it_the_critic_runs_away() -> None:
    """Gulrajani et al. 2017, figure 3 is of such toys. Control: the same critic, unbounded."""
    assert modes(*trained("wgan-gp", "ring8", 2000)) >= 7
    assert modes(*trained("wgan-gp", "ring8", 2000, gp_weight=0.0)) < 7


@torch.no_grad()
def probe(gan: Any, train: Tensor, y: Tensor, test: Tensor, y_test: Tensor) -> float:
    """Accuracy of a ridge classifier on D's features, standardised."""
    features = [torch.cat([gan.D.trunk(part).flatten(1) for part in x.split(256)]) for x in (train, test)]
    mean, deviation = features[0].mean(0), features[0].std(0) + 1e-5
    a, b = ((f - mean) / deviation for f in features)
    target = torch.nn.functional.one_hot(y).float() - 1 / 12
    weights = torch.linalg.solve(a.T @ a + 100 * torch.eye(a.shape[1]), a.T @ target)
    return float(((b @ weights).argmax(1) == y_test).float().mean())


def test_d_learns_features_that_tell_shapes_apart() -> None:
    """Radford et al. 2016, section 5.1. Control: the same D before any training."""
    f = shapes.factors(shapes.FULL, 7, np.arange(3000))
    x = torch.from_numpy(shapes.render(shapes.FULL, f, 32)).float() / 127.5 - 1
    y = torch.from_numpy(f["shape"])
    data = x[:2000], y[:2000], x[2000:], y[2000:]
    learnt, _ = trained("dcgan", "shapes", 1200, width=16)
    fresh, _ = trained("dcgan", "shapes", 0, width=16)
    assert probe(learnt, *data) >= probe(fresh, *data) + 0.05


def test_a_walk_is_smooth_and_leads_somewhere() -> None:
    """Radford et al. 2016, section 6.1: no sharp transitions, no memorised pictures. Control: a collapsed G."""
    gan: Any = trained("dcgan", "shapes-easy", 600, width=16)[0]

    def steps(gan: Any) -> tuple[float, float]:
        with torch.no_grad():
            seed_all("walk")
            a, b = gan.prior(64), gan.prior(64)
            path = torch.stack([gan.generate(torch.lerp(a, b, t)) for t in torch.linspace(0, 1, 10).tolist()])
        return float((path[1:] - path[:-1]).square().mean().sqrt()), float((path[0] - path[-1]).square().mean().sqrt())

    step, apart = steps(gan)
    assert 0.01 < step <= apart / 3
    for weight in gan.G.parameters():
        weight.data.zero_()
    assert not steps(gan)[0] > 0.01
