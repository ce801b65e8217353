"""R3GAN: Huang et al. 2024, "The GAN is dead; long live the GAN! …", arXiv:2501.05441; of any widths."""

from dataclasses import dataclass

from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import bounded
from gancli.families.latents import FromLabels, SizeHParams
from gancli.hparams import hparam, whole_numbers
from gancli.nets.high_fidelity.r3gan import Generator, Stage


@dataclass(frozen=True, kw_only=True)
class HParams(SizeHParams):
    """The authors' settings for 64 pixels."""

    z_dim: int = 64
    widths: str = hparam("768,768,768,768,384", "channels of each stage, from the coarsest on")
    blocks: str = hparam("2,2,2,2,2", "residual blocks of each stage")
    groups: str = hparam("16,16,16,16,16", "channels per group of the 3x3 convolutions of each stage")
    expansion: int = hparam(2, "hidden channels of a block per channel of its stage", min=1)
    embedding: int = hparam(0, "size of the embedding of a label; 0: that of the latent", min=0)


class R3GANGenerator(FromLabels[HParams]):
    """Residual stages without any norm (section 4)."""

    purpose = "imported R3GANs"
    hparams = HParams

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        held = zip(*map(whole_numbers, (hp.widths, hp.blocks, hp.groups)), strict=True)  # of each stage
        stages = [Stage(width, blocks, group, hp.expansion) for width, blocks, group in held]
        self.G = Generator(hp.z_dim, stages, spec, classes=len(spec.classes), embedding=hp.embedding)

    def generate(self, z: Tensor) -> Tensor:
        """Generate images from latents; G's last layer is linear, so brighter than white is white."""
        return bounded(self.G(z).float())
