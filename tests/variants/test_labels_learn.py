"""What labels and codes are for, after a short training; each beside an arm without the ingredient, which must fail."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli import registry
from gancli.data import shapes
from gancli.data.feed import Feed
from gancli.data.labelled import Labelled
from gancli.data.sources import Request
from gancli.ema import EMA
from gancli.gan import Clock, each_class
from gancli.metrics.accuracy import accuracy
from gancli.seeds import seed_all
from gancli.step import play_step

CPU = torch.device("cpu")
TOY = {"batch": 64, "width": 32, "z_dim": 16, "ema_kimg": 2, "lr": 1e-3}

pytestmark = pytest.mark.slow


def trained(name: str, source: object, steps: int, seed: int, **options: Any) -> tuple[Any, Any, dict[str, float]]:
    """Train as the loop does; returns the averaged GAN, its data, and the means of the last 50 steps."""
    kind = registry.load(name)
    fields = {f.name for f in dataclasses.fields(kind.hparams)}
    hp = kind.hparams(**{k: v for k, v in (TOY | options).items() if k in fields})
    data = kind.dataset(hp, Request(str(source)))
    seed_all("init", seed)
    gan: Any = kind(hp, data.spec)
    players, ema, feed = gan.players(), EMA(gan), Feed(data, hp.batch, seed, CPU)
    clock, logs = Clock(0, 0, steps * hp.batch), []
    for step in range(steps):
        seed_all("step", seed, step)
        gan.train()
        logs.append(play_step(gan, players, [feed.at(clock.images)], clock))
        clock = Clock(step + 1, clock.images + hp.batch, clock.total)
        ema.update(hp.ema_kimg * 1000, hp.batch, clock.images)
    return ema.gan, data, {name: float(np.mean([float(log[name]) for log in logs[-50:]])) for name in logs[0]}


def rows_of(source: object) -> Any:
    data = Labelled.open(Request(str(source)))
    return data.batch(torch.arange(len(data)), CPU)


def oracle(source: object) -> nn.Module:
    """A classifier of the real images."""
    seed_all("oracle")
    real = rows_of(source)
    net = nn.Sequential(nn.Flatten(), nn.Linear(real.image[0].numel(), 256), nn.ReLU(), nn.Linear(256, 10))
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(600):
        some = torch.randint(len(real), (128,))
        noisy = real.image[some] + 0.1 * torch.randn_like(real.image[some])
        adam.zero_grad()
        F.cross_entropy(net(noisy), real.label[some]).backward()
        adam.step()
    return net.eval()


@torch.no_grad()
def counts(gan: Any, net: nn.Module, each: int = 50) -> Tensor:
    """How often the oracle reads what (K, 10) from fakes of each class."""
    seed_all("counts")
    said = net(gan.generate(each_class(gan, gan.prior(each)))).argmax(1)
    return F.one_hot(said, 10).view(len(gan.classes), each, 10).sum(1)


@torch.no_grad()
def spread(gan: Any) -> float:
    """Deviation of pixels within a class: near 0 when G ignores z."""
    seed_all("spread")
    fakes = gan.generate(each_class(gan, gan.prior(50)))
    return float(fakes.view(len(gan.classes), 50, -1).std(1).mean())


@pytest.mark.parametrize("conditioning", ["concat", "hadamard", "two-net", "projection"])
def test_cgan_draws_the_digit_that_it_is_asked_for(conditioning: str) -> None:
    steps = 300 if conditioning == "concat" else 600
    gan, _, _ = trained("cgan", "digits", steps, 0, conditioning=conditioning)
    assert counts(gan, oracle("digits")).diagonal().sum() / 500 > 0.6
    assert spread(gan) > 0.05


def test_cgan_control_a_discriminator_that_is_not_told_the_label(monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.nets import conditional

    told = conditional.Concat.forward
    monkeypatch.setattr(conditional.Concat, "forward", lambda self, x, y: told(self, x, torch.zeros_like(y)))
    gan, _, _ = trained("cgan", "digits", 300, 0)
    assert counts(gan, oracle("digits")).diagonal().sum() / 500 < 0.4


def test_acgan_draws_the_digit_that_it_is_asked_for_and_names_real_ones() -> None:
    gan, data, _ = trained("acgan", "digits", 300, 0)
    right = counts(gan, oracle("digits")).diagonal() / 50
    assert right.mean() > 0.9
    assert right.min() > 0.7
    assert accuracy(gan, data.held_out, CPU)["accuracy"] > 0.85


def test_acgan_control_without_the_class_term() -> None:
    gan, _, _ = trained("acgan", "digits", 300, 0, class_weight=0.0)
    assert counts(gan, oracle("digits")).diagonal().sum() / 500 < 0.4


def patterns(path: Path) -> Path:
    """Write four figures of varied brightness."""
    rng, label = np.random.default_rng(0), np.arange(4000) % 4
    y, x = np.mgrid[:8, :8] - 3.5
    bar, frame = abs(y) < 1.6, np.maximum(abs(x), abs(y)) > 2.4
    on = np.stack([np.hypot(x, y) < 3, np.minimum(abs(x), abs(y)) < 1, bar, frame])
    images = on[label] * rng.uniform(0.5, 1, len(label))[:, None, None]
    images = np.clip(images + rng.normal(0, 0.03, images.shape), 0, 1)
    np.savez(path, images=(images * 255).astype(np.uint8), labels=label)
    return path


@torch.no_grad()
def purity(gan: Any, source: Path) -> float:
    """Share of real images whose code's commonest label is theirs."""
    real = rows_of(source)
    code = gan.classify(real.image).argmax(1)
    table = torch.zeros(len(gan.classes), 10).index_put_((code, real.label), torch.ones(len(code)), accumulate=True)
    return float(table.max(1).values.sum() / len(code))


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_infogan_finds_the_figures_and_without_information_does_not(weight: float, tmp_path: Path) -> None:
    source = patterns(tmp_path / "patterns.npz")
    options = {"categories": 4, "width": 16, "continuous": 1, "g_lr": 2e-3}
    gan, _, log = trained("infogan", source, 600, 0, **options, info_weight=weight, continuous_weight=0.1 * weight)
    if weight:
        assert log["D/information"] > 1.25  # of ln 4 = 1.386
        assert purity(gan, source) > 0.8
    else:
        assert log["D/information"] < 0.1


def test_sgan_learns_classes_from_images_without_labels(tmp_path: Path) -> None:
    """The same network from the same four labels a class, with and without the other images."""
    preset = shapes.PRESETS["shapes-mono"]
    f = shapes.factors(preset, 7, np.arange(6000))
    f = {name: values[f["shape"] < 8] for name, values in f.items()}
    source = tmp_path / "shapes.npz"
    np.savez(source, images=shapes.render(preset, f, 16)[:, 0], labels=f["shape"])
    gained = []
    for seed in range(3):
        scores = []
        for weight in (1.0, 0.0):
            options = {"labels_per_class": 4, "width": 16, "unlabelled_weight": weight}
            gan, data, _ = trained("sgan", source, 250, seed, **options)
            scores.append(accuracy(gan, data.held_out, CPU)["accuracy"])
        gained.append(scores[0] - scores[1])
    assert np.mean(gained) > 0.05
