"""CycleGAN's generator with norms that have a scale and a shift: Zhu et al. 2017, "CycleGAN", arXiv:1703.10593."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Repainter
from gancli.hparams import HParams, hparam
from gancli.nets.resnet_translator import ResnetTranslator


@dataclass(frozen=True, kw_only=True)
class AffineHParams(HParams):
    """Appendix 7.2's."""

    width: int = hparam(64, "channels of the first layer", min=1, max=1024)
    blocks: int = hparam(9, "residual blocks", min=0, max=24)


class AffineResnet(Repainter[AffineHParams]):
    """Some tutorials give CycleGAN's instance norms weights, which must be kept."""

    purpose = "CycleGAN translators of tutorials"
    hparams = AffineHParams

    def __init__(self, hp: AffineHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = ResnetTranslator(hp.width, hp.blocks, spec, affine=True)
