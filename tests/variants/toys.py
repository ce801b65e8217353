"""One-dimensional games whose ends are known: a critic of one's choice against fakes that stand still."""

from typing import Any

import torch
from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.engine.step import parameters
from gancli.gan import GAN, Clock
from tests.variants.small import make

POINTS = 4001


def normal(mean: float = 0.0, points: int = POINTS) -> Tensor:
    """Quantiles of N(mean, 1) as images (N, 1, 1, 1): their means are integrals to three digits, without noise."""
    share = (torch.arange(points) + 0.5) / points
    return (torch.special.ndtri(share.double()).float() + mean)[:, None, None, None]


def ones(x: Tensor) -> Tensor:
    """Add up all of an image: a critic whose slope is one in every pixel."""
    return x.flatten(1).sum(1)


class Still(nn.Module):
    """A generator that draws the same fakes for any noise."""

    def __init__(self, fakes: Tensor) -> None:
        super().__init__()
        self.fakes = nn.Parameter(fakes)

    def forward(self, z: Tensor) -> Tensor:
        return self.fakes * 1


class Linear(nn.Module):
    """f(x) = w . x + b, from w = 0."""

    def __init__(self, pixels: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(pixels))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight + self.bias


def against(name: str, critic: nn.Module, fakes: Tensor, **options: Any) -> GAN[Any]:
    """Make a variant with a critic in place of its own, against fakes that stand still."""
    gan: Any = make(name, DataSpec(1, 16, 16), **options)
    gan.D, gan.G = critic, Still(fakes)
    return gan


def train_critic(gan: GAN[Any], real: Tensor, steps: int) -> dict[str, Tensor]:
    """Let only D move, as the variant's game has it; return the terms and stats of its last turn."""
    player, batch, last = gan.players()["D"], Images(real), {}
    for step in range(steps):
        for turn in gan.play(batch, Clock(step, 0, 1)):
            if turn.player == "D":
                last = turn.terms | turn.stats
                player.zero_grad()
                torch.stack(list(turn.terms.values())).sum().backward(inputs=parameters(player))
                player.step()
                gan.moved("D", last)
    return last
