"""DCGAN: Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional GANs", arXiv:1511.06434."""

from dataclasses import dataclass
from typing import ClassVar

from gancli.families.noise import ConvHParams, NoiseToImage


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """Section 4's, for images of 64 pixels."""

    batch: int = 128


class DCGAN(NoiseToImage[HParams]):
    """Strided convolutions and batch norm in both networks make image GANs train stably (section 3)."""

    purpose = "new images; the classic"
    hparams = HParams
    on_small: ClassVar = {**NoiseToImage.on_small, "r1": 2.0}
