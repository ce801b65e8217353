"""The exponential moving average (EMA) of the weights, which generates better samples than those of any one step."""

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from gancli.gan import GAN


class EMA:
    """Exponential moving average of the served networks: weights and batch statistics; other buffers are copied."""

    def __init__(self, gan: GAN[Any]) -> None:
        self.gan = pruned(copy.deepcopy(gan)).eval().requires_grad_(False)
        live = {**dict(gan.named_parameters()), **dict(gan.named_buffers())}
        statistics = {
            f"{path}.{name}"
            for path, module in self.gan.named_modules()
            if isinstance(module, _BatchNorm)
            for name in ("running_mean", "running_var")
        }
        mine = {**dict(self.gan.named_parameters()), **dict(self.gan.named_buffers())}
        averaged = [name for name, _ in self.gan.named_parameters()] + sorted(statistics & mine.keys())
        copied = sorted(mine.keys() - set(averaged))
        self._averaged = _pairs(mine, live, averaged)
        self._copied = _pairs(mine, live, copied)

    @torch.no_grad()
    def update(self, half_life: float, batch: int) -> None:
        """Update towards the current weights after a step on `batch` images; a half-life of 0 images copies them."""
        kept = 0.5 ** (batch / half_life) if half_life else 0.0
        torch._foreach_lerp_(*self._averaged, 1 - kept)  # pyright: ignore[reportPrivateImportUsage]
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)  # pyright: ignore[reportPrivateImportUsage]


def _pairs(mine: dict[str, Tensor], live: dict[str, Tensor], names: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    return [mine[name] for name in names], [live[name] for name in names]


def pruned(gan: GAN[Any], without: Collection[str] = ()) -> GAN[Any]:
    """Drop the networks that only training needs, and some more; sample and translate must work without them."""
    for name, _ in list(gan.named_children()):
        if name in without or name not in (*gan.served, *gan.judges):
            delattr(gan, name)
    return gan
