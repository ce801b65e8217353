"""GAN: Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv:1406.2661."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from gancli.data.spec import DataSpec
from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.hparams import hparam
from gancli.nets import mlp


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


TINY = 16  # pixels a side
ON_TINY = {"width": 128, "z_dim": 32, "lr": 5e-4, "beta1": 0.0, "beta2": 0.99, "kimg": 600}


class OriginalGAN(NoiseToImage[HParams]):
    """A generator learns from nothing but a discriminator's attempts to tell its images from real ones (section 3)."""

    purpose = "tiny images and points; the first GAN"
    hparams = HParams
    on_small: ClassVar = {"kimg": 100.0}
    builtin = "digits"

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """For scans of a few pixels: less of everything but steps, which cost little there."""
        return ON_TINY if 1 < max(spec.height, spec.width) <= TINY else super().preset(spec)

    def generator(self) -> nn.Module:
        """Hidden layers of growing width."""
        return mlp.Generator(self.hp.z_dim, self.hp.hidden, self.spec)

    def discriminator(self) -> nn.Module:
        """Hidden layers of shrinking width."""
        return mlp.Discriminator(self.hp.hidden[::-1], self.spec)
