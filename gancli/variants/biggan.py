"""BigGAN: Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", arXiv:1809.11096."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.families.high_fidelity.big import Big, BigHParams
from gancli.families.high_fidelity.projection import Projection
from gancli.nets.dcgan import stages
from gancli.nets.high_fidelity import resnet_gan


@dataclass(frozen=True, kw_only=True)
class HParams(BigHParams):
    """Appendix B, table 4."""

    z_dim: int = 120
    width: int = 96


class BigGAN(Big[HParams], Projection[HParams]):
    """Large batches and networks, a class embedding for all layers, and a part of z for each block (section 3)."""

    purpose = "images of a chosen class; large batches"
    hparams = HParams
    data = OptionallyLabelled
    on_small: ClassVar = {**Projection.on_small, "attention": 16, "embedding": 16}

    def generator(self) -> nn.Module:
        """Split z into equal chunks; a block gets one of them beside the embedding (figure 15)."""
        chunks = resnet_gan.chunks(self.hp.z_dim, stages(self.spec))
        codes = resnet_gan.Codes(len(self.classes), self.hp.embedding, chunks)
        return resnet_gan.generator(self.spec, self.channels, codes, self.attended)
