"""SRGAN: Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a GAN", arXiv:1609.04802."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Enlarger
from gancli.hparams import HParams, hparam
from gancli.nets.enlargers.srresnet import SRResNet


@dataclass(frozen=True, kw_only=True)
class SRGANHParams(HParams):
    """Section 3.2's; the weights that are published have 5 blocks."""

    features: int = hparam(64, "channels of every layer", min=1, max=1024)
    blocks: int = hparam(16, "residual blocks", min=1, max=100)
    ups: int = hparam(2, "how often the size doubles at the end", min=0, max=4)


class SRGAN(Enlarger[SRGANHParams]):
    """A residual network at the small size, then convolutions whose channels become pixels (section 2.1.1)."""

    purpose = "enlarging photographs; the first GAN for it"
    hparams = SRGANHParams

    def __init__(self, hp: SRGANHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = SRResNet(spec.channels, hp.features, hp.blocks, hp.ups)
