"""GAN: Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv:1406.2661."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gancli.hparams import hparam
from gancli.nets import mlp
from gancli.variants._noise import NoiseHParams, NoiseToImage


@dataclass(frozen=True, kw_only=True)
class HParams(NoiseHParams):
    """The paper's MNIST networks used maxout and dropout; these are the plain ones that are taught today."""

    width: int = hparam(
        256, "units of G's first hidden layer; they double in each that follows, and D mirrors them", min=1
    )
    depth: int = hparam(3, "hidden layers of each network", min=1, max=8)

    @property
    def hidden(self) -> list[int]:
        """Units of G's hidden layers."""
        return [self.width * 2**i for i in range(self.depth)]


class OriginalGAN(NoiseToImage[HParams]):
    """A generator learns from nothing but a discriminator's attempts to tell its images from real ones (section 3)."""

    hparams = HParams
    one_call = True
    on_small: ClassVar = {}
    builtin = "digits"

    def generator(self) -> nn.Module:
        """Hidden layers of growing width."""
        return mlp.Generator(self.hp.z_dim, self.hp.hidden, self.spec)

    def discriminator(self) -> nn.Module:
        """Hidden layers of shrinking width."""
        return mlp.Discriminator(self.hp.hidden[::-1], self.spec)
