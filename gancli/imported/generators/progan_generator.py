"""ProGAN: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality …", arXiv:1710.10196; of any widths."""

from dataclasses import dataclass

from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import bounded
from gancli.families.latents import FromLabels, SizeHParams
from gancli.hparams import hparam, whole_numbers
from gancli.nets.high_fidelity import progan


@dataclass(frozen=True, kw_only=True)
class HParams(SizeHParams):
    """Table 2's."""

    z_dim: int = 512
    widths: str = hparam("512,512,512,512,256,128,64,32,16", "channels of each level, from the coarsest on")


class ProGANGenerator(FromLabels[HParams]):
    """A network that was grown level by level (section 2); labels are appended to the noise."""

    purpose = "imported ProGANs"
    hparams = HParams

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        widths = whole_numbers(hp.widths)
        self.G = progan.Generator(hp.z_dim + len(spec.classes), widths, spec, first=len(widths) - 1)

    def generate(self, z: Tensor) -> Tensor:
        """Generate images from latents."""
        return bounded(self.G(z))
