"""LSGAN: Mao et al. 2017, "Least Squares Generative Adversarial Networks", arXiv:1611.04076."""

from gancli.families.noise import ConvHParams, NoiseToImage
from gancli.ops import losses


class LSGAN(NoiseToImage[ConvHParams]):
    """Squared errors pull fakes to the data even where D is sure of them, and logits stay raw (section 3.2)."""

    hparams = ConvHParams
    adversarial = losses.LEAST_SQUARES
    purpose = "new images; a least-squares loss"
