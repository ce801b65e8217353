"""RpGAN: Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv:1807.00734."""

from gancli.families.relativistic import HParams, Relativistic
from gancli.ops import losses


class RpGAN(Relativistic):
    """D compares a real with a fake, pair by pair (section 4.1)."""

    hparams = HParams
    contrast = losses.relativistic_pairs
    purpose = "new images; D compares pair by pair"
