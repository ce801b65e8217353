"""The relativistic family: D says whether one image looks more real than another."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Tensor

from gancli.data.images import Images
from gancli.gan import Clock, Turn
from gancli.variants._noise import NoiseHParams, NoiseToImage


class Relativistic(NoiseToImage[NoiseHParams]):
    """D raises reals above fakes; G plays the same game with the sides swapped, so its loss has the reals in it too."""

    hparams = NoiseHParams
    contrast: ClassVar[Callable[[Tensor, Tensor], Tensor]]  # small when the first logits are above the second

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """As everywhere, but G's turn needs the reals."""
        contrast = type(self).contrast
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        yield Turn("D", {"adversarial": contrast(self.D(batch.image), self.D(fake))})
        if clock.every(self.hp.n_critic):
            fake = self.generate(self.prior(len(batch)))
            yield Turn("G", {"adversarial": contrast(self.D(fake), self.D(batch.image))})
