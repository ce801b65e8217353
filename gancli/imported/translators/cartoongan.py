"""CartoonGAN: Chen, Lai and Liu 2018, "CartoonGAN: Generative Adversarial Networks for Photo Cartoonization", CVPR."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Repainter
from gancli.hparams import HParams, hparam
from gancli.nets.translators.cartoongan import CartoonNet


@dataclass(frozen=True, kw_only=True)
class CartoonHParams(HParams):
    """Figure 2's widths."""

    full: int = hparam(64, "channels at the full size", min=1, max=1024)
    half: int = hparam(128, "channels at half the size", min=1, max=1024)
    quarter: int = hparam(256, "channels at a quarter of the size", min=1, max=4096)


class CartoonGAN(Repainter[CartoonHParams]):
    """Photographs become frames of an animator's films; trained on edges that were blurred (section 3.2)."""

    purpose = "photographs to cartoons"
    hparams = CartoonHParams

    def __init__(self, hp: CartoonHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = CartoonNet((hp.full, hp.half, hp.quarter), spec.channels)
