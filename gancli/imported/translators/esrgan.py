"""ESRGAN: Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", arXiv:1809.00219."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Enlarger
from gancli.hparams import HParams, hparam
from gancli.nets.enlargers.rrdb import RRDBNet


@dataclass(frozen=True, kw_only=True)
class RRDBHParams(HParams):
    """Section 4.1's, and Real-ESRGAN's for other scales."""

    features: int = hparam(64, "channels between blocks", min=1, max=1024)
    growth: int = hparam(32, "channels that each convolution of a dense block adds", min=1, max=1024)
    blocks: int = hparam(23, "residual-in-residual dense blocks", min=1, max=100)
    ups: int = hparam(2, "how often the size doubles at the end", min=0, max=4)
    fold: int = hparam(1, "side of the squares of pixels that become channels at the start", min=1, max=4)


class ESRGAN(Enlarger[RRDBHParams]):
    """Dense blocks without batch norm, whose outputs are scaled before they are added (section 3.1)."""

    purpose = "enlarging photographs and drawings; ESRGAN's and Real-ESRGAN's weights"
    hparams = RRDBHParams

    def __init__(self, hp: RRDBHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = RRDBNet(spec.channels, hp.features, hp.growth, hp.blocks, ups=hp.ups, fold=hp.fold)
        self.multiple = hp.fold
