"""What tests of --truncation share: a model without a file, and the latents that it chooses."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gancli.checkpoints import checkpoint
from gancli.checkpoints.find import Model
from gancli.gan import GAN
from gancli.inference.sampling.truncation import chooser

SEEDS = range(60)


def model_of(gan: GAN[Any], fingerprint: str, path: str = "x.safetensors", name: str = "?") -> Model:
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    return Model(
        Path(path), checkpoint.About(name, hp, spec, {"step": 0, "images": 0, "total": 0}, {}, {}), fingerprint
    )


def chosen(of: tuple[Any, Model], share: float | None, seeds: Any = SEEDS, label: int | None = None) -> Tensor:
    choose = chooser(*of, share)
    return torch.cat([choose(seed, label) for seed in seeds])
