"""Complete checkpoints of older versions with what those did not save."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gancli.gan import GAN


def lacking(gan: GAN[Any], averaged: Mapping[str, Tensor]) -> list[str]:
    """Name the judges whose averaged weights are missing, because an older version wrote the checkpoint."""
    optional = (name for name in gan.judges if name not in gan.served)
    return [name for name in optional if not any(key.startswith(f"{name}.") for key in averaged)]


def completed(gan: GAN[Any], averaged: Mapping[str, Tensor], trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the judges that are missing from the averaged weights, with their trained weights if the file has them."""
    heads = tuple(f"{name}." for name in lacking(gan, averaged))
    return {**averaged, **{key: tensor for key, tensor in trained.items() if key.startswith(heads)}}


def biased(module: torch.nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add zeros for the biases that D lacked before 2026-12, in its layers without a norm."""
    own = module.state_dict()
    lacking = [name for name in own if name.endswith(".bias") and name not in tensors]
    added = [name for name in lacking if any(other.startswith(name.removesuffix("bias")) for other in tensors)]
    return {**tensors, **{name: torch.zeros_like(own[name], device="cpu") for name in added}}


def rebuilt(gan: GAN[Any], weights: Mapping[str, Tensor]) -> list[str]:
    """Name the networks whose shapes differ from the checkpoint's; none if any of them is needed for inference."""
    own, given = ({name: t.shape for name, t in side.items()} for side in (gan.state_dict(), weights))
    other = {name.partition(".")[0] for name in {*own, *given} if own.get(name) != given.get(name)}
    return [] if other & {*gan.served, *gan.judges} else sorted(other)
