"""The family that turns noise and a label into images: the label is the tail of the latent, as a one-hot row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.labelled import Labelled
from gancli.families.latents import FromLabels
from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.gan import Clock, Turn
from gancli.nets import dcgan


@dataclass(frozen=True, kw_only=True)
class LabelHParams(NoiseHParams):
    """What every member of the family can be told."""


H = TypeVar("H", bound=LabelHParams)


class LabelToImage(FromLabels[H], NoiseToImage[H]):
    """As its base, with labels: fakes carry those of the batch, so that both sides have the data's share of each."""

    data = Labelled

    def generator(self) -> nn.Module:
        """Build G: a latent with its label (N, z_dim + K) -> (N, C, H, W)."""
        return dcgan.Generator(self.hp.z_dim + len(self.classes), self.hp.width, self.spec)

    # narrower than the base's batch, as `data` says
    def play(self, batch: Labelled, clock: Clock) -> Iterator[Turn]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Goodfellow et al. 2014, Algorithm 1, given the labels."""
        with torch.no_grad():
            fake = self.fakes(batch)
        yield self.d_turn(batch, fake)
        if clock.every(self.hp.n_critic):
            yield self.g_turn(self.fakes(batch), batch.label)

    def d_turn(self, batch: Labelled, fake: Tensor) -> Turn:
        """D's move on reals and on fakes of the same labels."""
        raise NotImplementedError

    def g_turn(self, fake: Tensor, label: Tensor) -> Turn:
        """G's move on fakes of these labels."""
        raise NotImplementedError

    def fakes(self, batch: Labelled) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """An image for each label of the batch."""
        return self.generate(self.of_class(self.prior(len(batch)), batch.label))
