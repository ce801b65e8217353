"""The turns of one training step, and the gradients of their terms."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gancli.gan import Clock, Turn
from gancli.system.seeds import seed_all

START = Clock(0, 0, 1000)


def turns(gan: Any, batch: Any) -> Iterator[Turn]:
    seed_all("turn")
    return gan.play(batch, START)


def gradients(loss: Tensor, module: torch.nn.Module) -> list[Tensor]:
    return [
        g
        for g in torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
        if g is not None
    ]
