"""pix2pixHD: Wang et al. 2018, "High-Resolution Image Synthesis with Conditional GANs", arXiv:1711.11585."""

from dataclasses import dataclass

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.gan import GAN
from gancli.hparams import HParams, hparam
from gancli.nets.translators.pix2pixhd import GlobalNet, LocalNet


@dataclass(frozen=True, kw_only=True)
class HDHParams(HParams):
    """The authors' code's, for Cityscapes."""

    inputs: int = hparam(36, "input planes: labels, and the edges of instances", min=1, max=10_000)
    edges: bool = hparam(True, "the last plane is the edges of instances")
    width: int = hparam(64, "channels of the first layer; of the local one, if there is one", min=1, max=1024)
    down: int = hparam(4, "downsampling steps of the global generator", min=0, max=8)
    blocks: int = hparam(9, "residual blocks of the global generator", min=0, max=24)
    local: int = hparam(0, "residual blocks of the local enhancer; 0: none", min=0, max=24)


class Pix2PixHD(GAN[HDHParams]):
    """A generator at half the size, and an enhancer around it (section 3.1)."""

    purpose = "maps of labels to photographs of streets"
    hparams = HDHParams
    data = Images

    def __init__(self, hp: HDHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        shape = hp.blocks, hp.down
        self.G = (
            LocalNet(hp.inputs, hp.width, *shape, hp.local, spec.channels)
            if hp.local
            else GlobalNet(hp.inputs, hp.width, *shape, spec.channels)
        )
        self.multiple = 1 << (hp.down + bool(hp.local))

    @property
    def labels(self) -> int:
        """Return how many labels there are."""
        return self.hp.inputs - self.hp.edges

    @property
    def edges(self) -> bool:
        """Tell whether the planes of labels are followed by the edges of instances."""
        return self.hp.edges

    def draw(self, planes: Tensor) -> Tensor:
        """Generate images from planes (N, labels, H, W), with one more for edges."""
        return self.G(planes).float()
