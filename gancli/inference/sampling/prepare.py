"""Prepare a model for a truncation: measured the first time, on the CPU like its latents, then cached."""

from typing import Any, cast

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

import gancli
from gancli.capabilities import Prepares
from gancli.checkpoints.find import Model
from gancli.gan import GAN
from gancli.system import cache
from gancli.system.untrusted.door import held_to
from gancli.system.untrusted.terminal import warn

FILE = "buffers.bin"
FLOAT = np.dtype("<f4")


class _Named(Struct, frozen=True):
    """The order of the buffers in the file."""

    names: list[str]


def prepare(gan: GAN[Any], model: Model, truncation: float) -> None:
    """Replace the buffers of a model by those for a truncation."""
    entry = cache.entry("prepared", gancli.__version__, model.fingerprint, model.about.source, truncation)
    buffers = entry.read(lambda kept: _read(kept, dict(gan.named_buffers())))
    if buffers is None:
        buffers = cast(Prepares, gan).prepared(truncation)
        _keep(entry, buffers)
    own = dict(gan.named_buffers())
    for name, value in buffers.items():
        own[name].copy_(value)


def _read(kept: cache.Kept, own: dict[str, Tensor]) -> dict[str, Tensor]:
    names = held_to(kept.about, _Named).names
    if unknown := set(names) - own.keys():
        raise ValueError(f"{len(unknown)} buffers are not the model's")
    values = torch.from_numpy(np.frombuffer(kept.load(FILE), FLOAT).copy())
    sizes = [own[name].numel() for name in names]
    if len(values) != sum(sizes) or not values.isfinite().all():
        raise ValueError(f"{FILE} does not hold the model's buffers")
    return {name: part.view_as(own[name]) for name, part in zip(names, values.split(sizes))}


def _keep(entry: cache.Entry, buffers: dict[str, Tensor]) -> None:
    values = torch.cat([value.flatten() for value in buffers.values()]).numpy().astype(FLOAT)
    try:
        with entry.write(values.nbytes) as draft:
            (draft.path / FILE).write_bytes(values.tobytes())
            draft.seal({"names": list(buffers)})
    except cache.Full as error:  # they can still be used
        warn(f"the statistics for this truncation were not cached: {error}")
