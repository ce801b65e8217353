"""SNGAN: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv:1802.05957."""

from dataclasses import dataclass
from typing import ClassVar

from gancli.families.noise import ConvHParams, DNorm, NoiseToImage
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """The authors' setting for residual networks, whose rates fall from the start; the networks here are DCGAN's."""

    d_norm: DNorm = "spectral"  # and no other, which would give each layer its scale back
    beta1: float = 0.0
    beta2: float = 0.9
    n_critic: int = 5
    kimg: float = 25000.0  # for as many G steps
    decay: float = 1.0


class SNGAN(NoiseToImage[HParams]):
    """Every layer of D is divided by its largest singular value, which bounds D's slope (section 2.1)."""

    purpose = "new images; D under spectral normalisation"
    hparams = HParams
    adversarial = losses.HINGE
    on_small: ClassVar = {**NoiseToImage.on_small, "d_norm": "spectral", "r1": 0.0, "n_critic": 1}
    on_points: ClassVar = {**NoiseToImage.on_points, "decay": 0.0}
