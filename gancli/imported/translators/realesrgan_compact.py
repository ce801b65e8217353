"""Real-ESRGAN's compact network: Wang et al. 2021, "Real-ESRGAN", arXiv:2107.10833, and the authors' code."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.repainters import Enlarger
from gancli.hparams import HParams, hparam
from gancli.nets.enlargers.srvgg import CompactNet


@dataclass(frozen=True, kw_only=True)
class CompactHParams(HParams):
    """Those of the weights for general images."""

    features: int = hparam(64, "channels of every layer", min=1, max=1024)
    layers: int = hparam(32, "layers between the first and the last", min=1, max=100)
    upscale: int = hparam(4, "how many times each side is enlarged", min=1, max=16)


class Compact(Enlarger[CompactHParams]):
    """Plain convolutions at the small size add details to the image enlarged by repeating pixels."""

    purpose = "enlarging, fast: videos, anime, and photographs with --denoise"
    hparams = CompactHParams

    def __init__(self, hp: CompactHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = CompactNet(spec.channels, hp.features, hp.layers, hp.upscale)
