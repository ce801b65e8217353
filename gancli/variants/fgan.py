"""f-GAN: Nowozin et al. 2016, "f-GAN: Training Generative Neural Samplers using …", arXiv:1606.00709."""

from dataclasses import dataclass
from typing import Literal

from gancli.data.spec import DataSpec
from gancli.families.noise import ConvHParams, DNorm, NoiseToImage
from gancli.hparams import hparam
from gancli.ops import divergences


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """Tables 1 and 2."""

    lr: float = 1e-4
    d_norm: DNorm = "layer"  # a batch norm would make V another function for each batch
    divergence: Literal["kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"] = hparam(
        "jensen-shannon", "divergence of the data from G's images, by its f in table 1"
    )


class FGAN(NoiseToImage[HParams]):
    """D bounds any f-divergence from below through the conjugate of f (eq. 4); GAN is one of them."""

    purpose = "new images; any of six f-divergences"
    hparams = HParams

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.adversarial = divergences.BY_NAME[hp.divergence]
