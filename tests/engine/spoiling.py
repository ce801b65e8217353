"""Games in which something goes wrong: a loss that is not finite."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from gancli.gan import GAN, Clock, Turn


def planted(gan: GAN[Any], happens: Callable[[Turn], None]) -> None:
    """Let something happen to every turn of a game."""
    play = gan.play

    def lost(batch: Any, clock: Clock) -> Iterator[Turn]:
        for turn in play(batch, clock):
            happens(turn)
            yield turn

    gan.play = lost  # type: ignore[method-assign]


def spoil(turn: Turn) -> None:
    name = next(iter(turn.terms))
    turn.terms[name] = turn.terms[name] * torch.nan


def constant(turn: Turn) -> None:
    """A loss that is not finite, and has gradients that are."""
    turn.terms["lost"] = torch.tensor(torch.inf)
