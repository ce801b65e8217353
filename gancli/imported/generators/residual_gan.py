"""SNGAN, SAGAN and BigGAN, as others train them: Miyato et al. 2018, Zhang et al. 2019, Brock et al. 2019."""

from dataclasses import dataclass

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.scaled import Scaled
from gancli.families.latents import SizeHParams
from gancli.hparams import hparam, whole_numbers
from gancli.nets.high_fidelity import resnet_gan


@dataclass(frozen=True, kw_only=True)
class ResidualHParams(SizeHParams):
    """SNGAN's for CIFAR-10 (Miyato et al. 2018, table 4)."""

    z_dim: int = 128
    channels: str = hparam("256,256,256,256", "channels of the feature maps from the coarsest on, doubled in between")
    embedding: int = hparam(0, "size of the class embedding that all blocks share; 0: each has its own tables", min=0)
    part: int = hparam(0, "how many of the values of z each block gets; the first layer gets the rest", min=0)
    attention: str = hparam("", "blocks that self-attention follows, counted from 1")
    eps: float = hparam(1e-5, "epsilon of the batch norms", min=0)
    centre: float = hparam(0.0, "what is added to the gains of the batch norms; BigGAN: 1")
    bilinear: bool = hparam(False, "enlarge feature maps bilinearly; else pixels are repeated")


class ResidualGAN(Scaled[ResidualHParams]):
    """arXiv:1802.05957, 1805.08318 and 1809.11096: residual blocks, told the class by their batch norms."""

    purpose = "imported SNGANs, SAGANs and BigGANs"
    hparams = ResidualHParams

    def __init__(self, hp: ResidualHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        channels = whole_numbers(hp.channels)
        blocks = len(channels) - 1
        codes = resnet_gan.Codes(len(spec.classes), hp.embedding, [hp.z_dim - hp.part * blocks, *[hp.part] * blocks])
        enlarge = resnet_gan.bilinear if hp.bilinear else resnet_gan.nearest
        numerics = resnet_gan.Numerics(hp.eps, hp.eps, hp.centre, enlarge)
        attended = [number - 1 for number in whole_numbers(hp.attention)]
        self.G = resnet_gan.attended_generator(spec, channels, codes, attended, numerics)
