"""Class-conditional GANs, which turn noise and a label into images: the label is the one-hot tail of the latent."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.labelled import Labelled
from gancli.families.latents import FromLabels
from gancli.families.noise import ConvHParams, NoiseToImage
from gancli.gan import Clock, Turn


@dataclass(frozen=True, kw_only=True)
class LabelHParams(ConvHParams):
    """Hyperparameters of every variant of the family."""


H = TypeVar("H", bound=LabelHParams)


class LabelToImage(FromLabels[H], NoiseToImage[H]):
    """The same with labels: fakes get the labels of the batch, so real and fake images have equal class shares."""

    data = Labelled

    def generator(self) -> nn.Module:
        """Build G: a latent with its label (N, z_dim + K) -> (N, C, H, W)."""
        return self.convolutional(self.hp.z_dim + len(self.classes))

    # a narrower type than the base's batch, matching `data`
    def play(self, batch: Labelled, clock: Clock) -> Iterator[Turn]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Goodfellow et al. 2014, Algorithm 1, given the labels."""
        with torch.no_grad():
            fake = self.fakes(batch)
        turn = self.d_turn(batch, fake)
        turn.terms |= self.slopes(lambda x: self.logit(x, batch.label), batch.image, fake, clock)
        yield turn
        if clock.every(self.hp.n_critic):
            yield self.g_turn(self.fakes(batch), batch.label)

    def d_turn(self, batch: Labelled, fake: Tensor) -> Turn:
        """Return D's turn on real images and fakes with the same labels."""
        raise NotImplementedError

    def logit(self, image: Tensor, label: Tensor) -> Tensor:
        """Return D's logits (N,) of images with these labels being real."""
        raise NotImplementedError

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by how real D takes them for, given their labels."""
        return self.logit(image, self.label_of(z))

    def g_turn(self, fake: Tensor, label: Tensor) -> Turn:
        """Return G's turn on fakes with these labels."""
        raise NotImplementedError

    def fakes(self, batch: Labelled) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Generate an image for each label of the batch."""
        return self.generate(self.of_class(self.prior(len(batch)), batch.label))
