"""DRAGAN: Kodali et al. 2017, "On Convergence and Stability of GANs", arXiv:1705.07215."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gancli.families.noise import ConvHParams, DNorm, NoiseToImage
from gancli.hparams import hparam
from gancli.ops import penalties


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """Algorithm 1; the noise is that of the authors' code."""

    d_norm: DNorm = "layer"  # a batch norm would tie the images' penalties together
    gp_weight: float = hparam(10.0, "weight of the gradient penalty, lambda in Algorithm 1", min=0)
    slope: float = hparam(1.0, "slope that D is held to around the data, k in Algorithm 1", min=0)


class DRAGAN(NoiseToImage[HParams]):
    """D is held to one slope around real images only, against sharp gradients there (section 2.3)."""

    purpose = "new images; D held to one slope around the data"
    hparams = HParams
    on_small: ClassVar = {**NoiseToImage.on_small, "kimg": 150.0}

    def mixes(self) -> tuple[str, ...]:
        """The noise of the penalty is as wide as the data."""
        return (*super().mixes(), "the deviation of the data")

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The non-saturating loss on logits, and the penalty."""
        penalty = self.hp.gp_weight * penalties.around(self.D, real, self.hp.slope)
        return super().d_terms(real, fake) | {"gradient_penalty": penalty}
