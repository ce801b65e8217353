"""The state of a run: what it trains, and its progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer

from gancli.checkpoints.ema import EMA
from gancli.engine import finite
from gancli.gan import GAN, Clock
from gancli.system import dist


@dataclass
class State:
    """The networks, optimisers and EMA of a run, and its clock."""

    gan: GAN[Any]
    players: Mapping[str, Optimizer]
    ema: EMA
    clock: Clock
    seconds: float = 0.0  # of training so far, including before resuming
    slower: float = 1.0  # factor on the learning rates since training went back to a checkpoint

    @property
    def done(self) -> bool:
        """Whether all images of the run have been seen."""
        return self.clock.images >= self.clock.total

    def advance(self, batch: int) -> None:
        """Advance the clock and the EMA after a step on `batch` images over all ranks."""
        self.clock = Clock(self.clock.step + 1, self.clock.images + batch, self.clock.total)
        self.ema.update(self.gan.ema_half_life(self.clock), batch)

    def finite(self) -> bool:
        """Return whether this rank's weights and buffers are all finite."""
        return finite.finite(t for m in (self.gan, self.ema.gan) for t in (*m.parameters(), *m.buffers()))

    def finite_on_all_ranks(self) -> bool:
        """Return whether every rank's weights and buffers are all finite."""
        lost = torch.tensor(float(not self.finite()), device=self.gan.device)
        return not bool(dist.mean_over_ranks(lost))
