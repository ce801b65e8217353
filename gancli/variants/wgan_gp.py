"""WGAN-GP: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", arXiv:1704.00028."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gancli.families.noise import ConvHParams, DNorm, NoiseToImage
from gancli.hparams import hparam
from gancli.ops import losses, penalties


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """Algorithm 1's defaults."""

    lr: float = 1e-4
    beta1: float = 0.0
    beta2: float = 0.9
    n_critic: int = 5
    kimg: float = 25000.0  # for as many G steps
    d_norm: DNorm = "layer"  # a batch norm would tie the images' penalties together (section 4)
    gp_weight: float = hparam(10.0, "weight of the gradient penalty, lambda in eq. 3", min=0)


class WGANGP(NoiseToImage[HParams]):
    """The critic's slope is held near 1 between reals and fakes, each image on its own (section 4)."""

    purpose = "new images; a steady critic, by gradient penalty"
    hparams = HParams
    adversarial = losses.WASSERSTEIN
    # lambda and beta1 are those of the authors' code for points, which takes ten times as many steps of a tenth
    on_points: ClassVar = {**NoiseToImage.on_points, "kimg": 2500, "beta1": 0.5, "gp_weight": 0.1, "ema_kimg": 50.0}
    on_small: ClassVar = {**NoiseToImage.on_small, "r1": 0.0, "n_critic": 1, "kimg": 150.0}

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The Wasserstein gap and the penalty (eq. 3)."""
        penalty = self.hp.gp_weight * penalties.interpolated(self.D, real, fake)
        return super().d_terms(real, fake) | {"gradient_penalty": penalty}
