"""Short trainings with something changed in them: what the slow tests judge variants by."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli import registry
from gancli.capabilities import each_class
from gancli.checkpoints.ema import EMA
from gancli.data.dataset import Dataset
from gancli.data.feed import Feed
from gancli.data.kinds.labelled import Labelled
from gancli.data.request import Request
from gancli.data.synthetic import shapes
from gancli.engine.step import play_step
from gancli.evaluation.known_truth.accuracy import accuracy
from gancli.gan import Clock
from gancli.system.seeds import seed_all

CPU = torch.device("cpu")
TOY: dict[str, Any] = {"width": 16, "z_dim": 16, "batch": 64, "lr": 1e-3, "beta1": 0.5, "beta2": 0.999}
Change = Callable[[Any], None]


def train(
    name: str,
    source: object,
    steps: int,
    seed: int,
    change: Change | None = None,
    kept: int = 50,
    live: bool = False,
    **options: Any,
) -> tuple[Any, Feed[Any], dict[str, float]]:
    """Train as the loop does, with something changed in the GAN first.

    Returns its averaged copy (or, live, the GAN itself), what it was trained on, and the means of its terms over the
    last `kept` steps.
    """
    kind = registry.load(name)
    hp = kind.hparams(**{"ema_kimg": 2, **options})
    data = source if isinstance(source, Dataset) else kind.dataset(hp, Request(str(source)))
    hp = kind.hparams(**{**kind.preset(data.spec), "ema_kimg": 2, **options})
    seed_all("init", seed)
    gan: Any = kind(hp, data.spec)  # pyright: ignore[reportCallIssue]
    if change:
        change(gan)
    players, ema, feed = gan.players(), EMA(gan), Feed(data, hp.batch, seed, CPU)
    clock, logs = Clock(0, 0, steps * hp.batch), []
    for step in range(steps):
        seed_all("step", seed, step)
        gan.train()
        logs.append(play_step(gan, players, [feed.at(clock.images)], clock))
        clock = Clock(step + 1, clock.images + hp.batch, clock.total)
        ema.update(gan.ema_half_life(clock), hp.batch)
    seed_all("judged")
    late: dict[str, list[float]] = {}
    for log in logs[-kept:]:
        for name, value in log.items():
            late.setdefault(name, []).append(float(value))
    means = {name: float(np.mean(values)) for name, values in late.items()}
    return (gan.eval().requires_grad_(False) if live else ema.gan), feed, means


def without(player: str) -> Change:
    """Leave a player's turns out of the game."""

    def change(gan: Any) -> None:
        play = gan.play
        gan.play = lambda batch, clock: (turn for turn in play(batch, clock) if turn.player != player)

    return change


def small_shapes(folder: Path, preset: str = "shapes-mono", kinds: int = 8, count: int = 4000) -> Path:
    """Write 16-pixel pictures of some shapes, with their labels."""
    path = folder / f"{preset}-{kinds}.npz"
    if not path.exists():
        f = shapes.factors(shapes.PRESETS[preset], 7, np.arange(count))
        f = {name: values[f["shape"] < kinds] for name, values in f.items()}
        pictures = shapes.render(shapes.PRESETS[preset], f, 16).transpose(0, 2, 3, 1)
        np.savez(path, images=pictures.squeeze(-1) if pictures.shape[-1] == 1 else pictures, labels=f["shape"])
    return path


def rows_of(source: object) -> Labelled:
    """All labelled rows of a source."""
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
def purity(gan: Any, real: Labelled) -> float:
    """Share of real images whose cluster's commonest label is theirs."""
    cluster, label = gan.classify(real.image).argmax(1), real.label
    table = torch.zeros(len(gan.classes), int(label.max()) + 1)
    table = table.index_put_((cluster, label), torch.ones(len(label)), accumulate=True)
    return float(table.max(1).values.sum() / len(label))


def held_out(gan: Any, feed: Any) -> float:
    """Accuracy on rows that were not trained on."""
    return accuracy(gan, feed.dataset.held_out, CPU)["accuracy"]


def two_domains(source: object = "digits") -> Dataset[Any]:
    """Pictures, and others of the same kind with black and white exchanged: no picture is in both."""
    from gancli.data.kinds.unpaired import Unpaired

    image = Labelled.open(Request(str(source))).columns["image"]
    half = len(image) // 2
    spec = dataclasses.replace(Labelled.open(Request(str(source))).spec, classes=(), domains=("A", "B"))
    columns = {"a": image[:half], "b": 255 - image[half : 2 * half]}
    return Dataset("two domains", spec, Unpaired, columns, matched=False)
