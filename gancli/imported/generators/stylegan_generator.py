"""StyleGAN: Karras et al. 2019, "A Style-Based Generator Architecture for …", arXiv:1812.04948; of any widths."""

from dataclasses import dataclass
from typing import ClassVar

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import StyleHParams, Styles
from gancli.hparams import hparam, whole_numbers
from gancli.nets.high_fidelity import stylegan


@dataclass(frozen=True, kw_only=True)
class HParams(StyleHParams):
    """Table 1 of the ProGAN paper."""

    widths: str = hparam("512,512,512,512,256,128,64,32,16", "channels of each resolution, from the coarsest on")


class StyleGANGenerator(Styles[HParams]):
    """A learnt constant, and styles that set the mean and deviation of every layer's features (section 2)."""

    purpose = "imported StyleGANs"
    hparams = HParams
    judges: ClassVar = ()

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        widths = whole_numbers(hp.widths)
        self.G = stylegan.Generator(hp.z_dim, hp.w_dim, hp.mapping, widths, spec, first=len(widths) - 1)
