"""AnimeGANv2: Chen et al. 2020, "AnimeGAN: a Novel Lightweight GAN for Photo Animation", ISICA 2019."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Repainter
from gancli.hparams import HParams, hparam
from gancli.nets.translators.animegan import AnimeNet


@dataclass(frozen=True, kw_only=True)
class AnimeHParams(HParams):
    """The widths of the published weights."""

    first: int = hparam(32, "channels of the first layer", min=1, max=1024)
    half: int = hparam(64, "channels at half the size", min=1, max=1024)
    quarter: int = hparam(128, "channels at a quarter of the size", min=1, max=1024)
    middle: int = hparam(256, "channels of the inverted residual blocks", min=1, max=4096)


class AnimeGAN(Repainter[AnimeHParams]):
    """Inverted residual blocks at a quarter of the size, and bilinear enlarging."""

    purpose = "photographs to anime drawings"
    hparams = AnimeHParams

    def __init__(self, hp: AnimeHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = AnimeNet((hp.first, hp.half, hp.quarter, hp.middle), spec.channels)
