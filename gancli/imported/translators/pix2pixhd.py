"""pix2pixHD: Wang et al. 2018, "High-Resolution Image Synthesis with Conditional GANs", arXiv:1711.11585."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import LabelMapHParams, LabelPainter
from gancli.hparams import hparam
from gancli.nets.translators.pix2pixhd import GlobalNet, LocalNet


@dataclass(frozen=True, kw_only=True)
class HDHParams(LabelMapHParams):
    """The authors' code's, for Cityscapes."""

    width: int = hparam(64, "channels of the first layer; of the local one, if there is one", min=1, max=1024)
    down: int = hparam(4, "downsampling steps of the global generator", min=0, max=8)
    blocks: int = hparam(9, "residual blocks of the global generator", min=0, max=24)
    local: int = hparam(0, "residual blocks of the local enhancer; 0: none", min=0, max=24)


class Pix2PixHD(LabelPainter[HDHParams]):
    """A generator at half the size, and an enhancer around it (section 3.1)."""

    purpose = "maps of labels to photographs of streets"
    hparams = HDHParams

    def __init__(self, hp: HDHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        shape = hp.blocks, hp.down
        self.G = (
            LocalNet(hp.inputs, hp.width, *shape, hp.local, spec.channels)
            if hp.local
            else GlobalNet(hp.inputs, hp.width, *shape, spec.channels)
        )
        self.multiple = 1 << (hp.down + bool(hp.local))
