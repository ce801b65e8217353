"""LSGAN: Mao et al. 2017, "Least Squares Generative Adversarial Networks", arXiv:1611.04076."""

from dataclasses import dataclass

from gancli.families.noise import ConvHParams, NoiseToImage
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """The authors' rate; the networks here are DCGAN's, whose z has 100 numbers where the authors' has 1,024."""

    lr: float = 1e-3


class LSGAN(NoiseToImage[HParams]):
    """Squared errors pull fakes to the data even where D is sure of them, and logits stay raw (section 3.2)."""

    hparams = HParams
    adversarial = losses.LEAST_SQUARES
    purpose = "new images; a least-squares loss"
