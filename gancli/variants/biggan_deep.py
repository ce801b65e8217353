"""BigGAN-deep: Brock et al. 2019, "Large Scale GAN Training for High Fidelity …", arXiv:1809.11096, appendix B."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.families.high_fidelity.big import Big, BigHParams
from gancli.families.high_fidelity.projection import Projection
from gancli.nets.dcgan import stages
from gancli.nets.high_fidelity import biggan_deep
from gancli.nets.high_fidelity.resnet_gan import Generator


@dataclass(frozen=True, kw_only=True)
class HParams(BigHParams):
    """Appendix B, table 7."""

    width: int = 128


class BigGANDeep(Big[HParams], Projection[HParams]):
    """BigGAN with four times as many layers, in bottlenecks, and all of z at each of them (appendix B, figure 16)."""

    purpose = "images of a chosen class; deeper than biggan"
    hparams = HParams
    data = OptionallyLabelled
    # blocks are four times narrower inside: with BigGAN's width of 8 there would be two channels
    on_small: ClassVar = {**Projection.on_small, "attention": 16, "embedding": 16, "width": 24, "kimg": 40.0}

    def generator(self) -> Generator:
        """Give all of z and the embedding to all layers."""
        blocks = biggan_deep.layers(self.channels)
        codes = biggan_deep.WholeCodes(self.hp.z_dim, len(self.classes), self.hp.embedding, len(blocks))
        attended = 2 * max(stages(self.spec) - self.attended, 0) if self.attended else 0  # two blocks a resolution
        return biggan_deep.generator(self.spec, blocks, codes, attended)

    def trunk(self) -> nn.Sequential:
        """Two bottlenecks a resolution."""
        return biggan_deep.trunk(self.spec, [*reversed(self.channels)], self.attended)
