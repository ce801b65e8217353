"""StarGAN: Choi et al. 2018, "StarGAN: Unified GANs for Multi-Domain Image-to-Image Translation", arXiv:1711.09020."""

from dataclasses import dataclass

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.gan import GAN
from gancli.hparams import HParams, hparam
from gancli.nets.translators.stargan import StarNet


@dataclass(frozen=True, kw_only=True)
class StarHParams(HParams):
    """Table 4's."""

    width: int = hparam(64, "channels of the first layer", min=1, max=1024)
    blocks: int = hparam(6, "residual blocks", min=0, max=24)
    count: int = hparam(5, "attributes", min=1, max=1000)


class StarGAN(GAN[StarHParams]):
    """One generator for all domains: it is told the attributes that the image should have (section 3.1)."""

    purpose = "changing attributes of faces"
    hparams = StarHParams
    data = Images
    multiple = 4

    def __init__(self, hp: StarHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = StarNet(hp.count, hp.width, hp.blocks, spec.channels)

    @property
    def attributes(self) -> int:
        """Return how many attributes there are."""
        return self.hp.count

    def change(self, image: Tensor, attributes: Tensor) -> Tensor:
        """Translate images (N, C, H, W) to attributes (N, A)."""
        return self.G(image, attributes).float()
