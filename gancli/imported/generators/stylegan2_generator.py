"""StyleGAN2: Karras et al. 2020, "Analyzing and Improving the Image Quality …", arXiv:1912.04958; of any widths."""

from dataclasses import dataclass
from typing import ClassVar

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import StyleHParams, Styles
from gancli.hparams import hparam, whole_numbers
from gancli.nets.high_fidelity import stylegan2


@dataclass(frozen=True, kw_only=True)
class HParams(StyleHParams):
    """Those of config F."""

    widths: str = hparam("512,512,512,512,512,256,128,64,32", "channels of each resolution, from the coarsest on")


class StyleGAN2Generator(Styles[HParams]):
    """Styles scale the weights of convolutions (section 2)."""

    purpose = "imported StyleGAN2s"
    hparams = HParams
    judges: ClassVar = ()

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = stylegan2.Generator(hp.z_dim, hp.w_dim, hp.mapping, whole_numbers(hp.widths), spec)
