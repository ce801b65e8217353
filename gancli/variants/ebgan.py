"""EBGAN: Zhao et al. 2017, "Energy-based Generative Adversarial Network", arXiv:1609.03126."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.kinds.images import Images
from gancli.families.energy import Energetic
from gancli.families.noise import ON_SMALL, ConvHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import autoencoder


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """Section 4.3, but the energy is a mean over pixels here, so that the margin is one for all sizes."""

    code: int = hparam(64, "size of the code of D's auto-encoder", min=1)
    margin: float = hparam(
        0.1, "energy that D gives fakes at least, m in eq. 1; images in [-1, 1] have energies in [0, 4]", min=0
    )
    pt_weight: float = hparam(0.1, "weight of the repelling term, eq. 4", min=0)


class EBGAN(Energetic[HParams]):
    """D is an auto-encoder and its error an energy: low on data, up to a margin on fakes (eq. 1 and 2)."""

    purpose = "new images; D is an autoencoder with a margin"
    hparams = HParams
    on_small: ClassVar = {**ON_SMALL, "kimg": 110.0, "decay": 0.4, "d_norm": "none"}

    def discriminator(self) -> nn.Module:
        """An auto-encoder."""
        if self.spec.points:
            return autoencoder.connected(self.hp.code, self.hp.units, self.spec)
        return autoencoder.convolutional(self.hp.code, self.hp.width, self.spec, self.d_norm)

    def mixes(self) -> tuple[str, ...]:
        """The codes of different images repel each other."""
        return (*super().mixes(), *(["the repelling term"] if self.hp.pt_weight else []))

    def energy(self, x: Tensor) -> Tensor:
        """Mean squared error of the reconstruction of each image, (N,)."""
        x = self.seen(x)
        return errors(self.D(x), x)

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Data have low energies."""
        del z
        return -self.energy(image)

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """A hinge for D, image by image; for G the energy, and codes that point in different directions."""
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        real_energy, fake_energy = self.energy(batch.image), self.energy(fake)
        terms = {"real": real_energy.mean(), "fake": F.relu(self.hp.margin - fake_energy).mean()}
        terms |= self.slopes(self.energy, batch.image, fake, clock)
        yield Turn("D", terms, {"fake_energy": fake_energy.mean()})
        if clock.every(self.hp.n_critic):
            fake = self.seen(self.generate(self.prior(len(batch))))
            codes = self.D.encoder(fake)
            repelling = self.hp.pt_weight * autoencoder.repelling(codes)
            yield Turn("G", {"energy": errors(self.D.decoder(codes).float(), fake).mean(), "repelling": repelling})


def errors(reconstruction: Tensor, x: Tensor) -> Tensor:
    """Return the mean squared error of each image, (N,)."""
    return (reconstruction - x).square().flatten(1).mean(1)
