"""CycleGAN with a U-Net, whose norms have no weights: Zhu et al. 2017, arXiv:1703.10593, and the authors' code."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Repainter
from gancli.hparams import HParams, hparam
from gancli.nets import unet


@dataclass(frozen=True, kw_only=True)
class UNetHParams(HParams):
    """The authors' code's."""

    width: int = hparam(64, "channels of the first layer", min=1, max=1024)


class UNetTranslator(Repainter[UNetHParams]):
    """Convolutions have biases, which matter where no norm follows."""

    purpose = "CycleGAN translators with a U-Net"
    hparams = UNetHParams

    def __init__(self, hp: UNetHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        levels = unet.levels_of(spec)
        self.multiple = 1 << levels
        self.G = unet.UNet(hp.width, levels, spec, bias=True)
