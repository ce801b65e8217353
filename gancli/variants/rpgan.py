"""RpGAN: Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv:1807.00734."""

from gancli import losses
from gancli.variants._noise import NoiseHParams
from gancli.variants._relativistic import Relativistic


class RpGAN(Relativistic):
    """D compares a real with a fake, pair by pair (section 4.1)."""

    hparams = NoiseHParams
    contrast = losses.relativistic_pairs
