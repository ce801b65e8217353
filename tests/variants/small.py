"""Every variant at a size that runs in milliseconds."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli import registry
from gancli.checkpoints.ema import EMA
from gancli.data.dataset import Dataset
from gancli.data.feed import Feed
from gancli.data.kinds.labelled import UNKNOWN, OptionallyLabelled, PartlyLabelled
from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import GAN, Clock
from gancli.system.seeds import seed_all

SMALL: dict[str, Any] = {
    "batch": 8,
    "width": 4,
    "z_dim": 6,
    "w_dim": 5,
    "g_layers": 4,
    "depth": 2,
    "blocks": 2,
    "pool": 4,
    "patches": 8,
    "features": 8,
}
SMALL |= {"enlarge": 0.0, "mirror": False}  # so that what a game is given is what its networks see
SPEC = DataSpec(3, 16, 16)
CLASSES = ("cat", "dog", "bird")

ON_THE_COMMAND_LINE = {"batch": 4, "depth": 1, "blocks": 1, "pool": 8, "labels_per_class": 4}


def small_options(name: str) -> list[object]:
    """Return options of `gancli train` that make a variant as small."""
    fields = registry.hyperparameters(name).__dataclass_fields__
    sizes = {key: SMALL[key] for key in ("width", "z_dim", "patches")} | ON_THE_COMMAND_LINE
    return [o for k, v in sizes.items() if k in fields for o in (f"--{k.replace('_', '-')}", v)]


def make(name: str, spec: DataSpec = SPEC, **options: Any) -> GAN[Any]:
    kind = registry.load(name)
    fields = {f.name for f in dataclasses.fields(kind.hparams)}
    if "label" in {f.name for f in dataclasses.fields(kind.data)} and options.get("labels", True):
        spec = dataclasses.replace(spec, classes=CLASSES)
    seed_all("init", 0)
    return kind(kind.hparams(**{k: v for k, v in (SMALL | options).items() if k in fields}), spec)


def feed(gan: GAN[Any], rows: int = 32, seed: int = 0) -> Feed[Any]:
    spec = gan.spec
    generator = torch.Generator().manual_seed(1)
    shape = (rows, spec.channels, spec.height, spec.width)

    def column(field: str) -> Tensor:
        if field == "label" and not spec.classes:
            return torch.full((rows,), UNKNOWN)
        if field == "label":
            return torch.randint(len(spec.classes), (rows,), generator=generator)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    few = gan.data is OptionallyLabelled and getattr(gan.hp, "labels_per_class", 0)
    kind = PartlyLabelled if few else gan.data
    columns = {f.name: column(f.name) for f in dataclasses.fields(kind)}
    dataset = Dataset("noise", spec, kind, columns, matched=kind is not Unpaired)
    return Feed(dataset, gan.hp.batch, seed, torch.device("cpu"))


def steps(gan: GAN[Any], players: Mapping[str, Optimizer], ema: EMA, count: int, clock: Clock | None = None) -> Clock:
    """Play some steps as the loop does."""
    clock = clock or Clock(0, 0, 1000)
    data = feed(gan)
    for _ in range(count):
        seed_all("step", 0, clock.step)
        gan.train()
        play_step(gan, players, [data.at(clock.images)], clock)
        clock = Clock(clock.step + 1, clock.images + data.batch, clock.total)
        ema.update(gan.ema_half_life(clock), data.batch)
    return clock
