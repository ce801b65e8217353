"""RpGAN: Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv:1807.00734."""

from gancli.families.relativistic import Relativistic, RelativisticHParams
from gancli.ops import losses


class RpGAN(Relativistic):
    """D compares a real with a fake, pair by pair (section 4.1)."""

    hparams = RelativisticHParams
    contrast = losses.relativistic_pairs
    purpose = "new images; D compares pair by pair"
    recommended = True  # docs/quick.md
