"""SPADE, or GauGAN: Park et al. 2019, "Semantic Image Synthesis with SPADE", arXiv:1903.07291."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import LabelMapHParams, LabelPainter
from gancli.hparams import hparam
from gancli.nets.translators.spade import SPADENet


@dataclass(frozen=True, kw_only=True)
class SPADEHParams(LabelMapHParams):
    """The authors' code's, for COCO-Stuff."""

    inputs: int = 184
    width: int = hparam(64, "channels of the last block; 16 times as many in the first", min=1, max=1024)
    hidden: int = hparam(128, "channels of the layer from which scales and shifts come", min=1, max=4096)
    steps: int = hparam(5, "how often the size doubles between the first block and the image", min=5, max=7)


class SPADE(LabelPainter[SPADEHParams]):
    """The map of labels gives the scale and the shift of every norm, at every pixel (section 3)."""

    purpose = "maps of labels to photographs"
    hparams = SPADEHParams

    def __init__(self, hp: SPADEHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = SPADENet(hp.inputs, hp.width, hp.hidden, hp.steps, spec.channels)
        self.multiple = 1 << hp.steps
