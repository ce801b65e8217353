"""SNGAN: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv:1802.05957."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.nets.layers import spectral
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(NoiseHParams):
    """The authors' setting for residual networks; the networks here are DCGAN's."""

    beta1: float = 0.0
    beta2: float = 0.9
    n_critic: int = 5


class SNGAN(NoiseToImage[HParams]):
    """Every layer of D is divided by its largest singular value, which bounds D's slope (section 2.1)."""

    hparams = HParams
    adversarial = losses.HINGE
    on_small: ClassVar = {**NoiseToImage.on_small, "n_critic": 1}
    d_norm = nn.Identity  # a batch norm would give each layer its scale back

    def discriminator(self) -> nn.Module:
        """The family's, normalised."""
        return spectral.normalise(super().discriminator())

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """One power step after each turn of D (Algorithm 1)."""
        del means
        if player == "D":
            spectral.power_step(self.D)
