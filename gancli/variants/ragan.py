"""RaGAN: Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv:1807.00734."""

from gancli import losses
from gancli.variants._noise import NoiseHParams
from gancli.variants._relativistic import Relativistic


class RaGAN(Relativistic):
    """D compares each image with the average of the other side (section 4.2)."""

    hparams = NoiseHParams
    contrast = losses.relativistic_average
