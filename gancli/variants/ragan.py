"""RaGAN: Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv:1807.00734."""

from gancli.families.relativistic import Relativistic, RelativisticHParams
from gancli.ops import losses


class RaGAN(Relativistic):
    """D compares each image with the average of the other side (section 4.2)."""

    hparams = RelativisticHParams
    contrast = losses.relativistic_average
    purpose = "new images; D compares with the average"

    def mixes(self) -> tuple[str, ...]:
        """Each logit is compared with a mean."""
        return (*super().mixes(), "the relativistic average")
