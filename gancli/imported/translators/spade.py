"""SPADE, or GauGAN: Park et al. 2019, "Semantic Image Synthesis with SPADE", arXiv:1903.07291."""

from dataclasses import dataclass

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.gan import GAN
from gancli.hparams import HParams, hparam
from gancli.nets.translators.spade import SPADENet


@dataclass(frozen=True, kw_only=True)
class SPADEHParams(HParams):
    """The authors' code's, for COCO-Stuff."""

    inputs: int = hparam(184, "input planes: labels, and the edges of instances", min=1, max=10_000)
    edges: bool = hparam(True, "the last plane is the edges of instances")
    width: int = hparam(64, "channels of the last block; 16 times as many in the first", min=1, max=1024)
    hidden: int = hparam(128, "channels of the layer from which scales and shifts come", min=1, max=4096)
    steps: int = hparam(5, "how often the size doubles between the first block and the image", min=5, max=7)


class SPADE(GAN[SPADEHParams]):
    """The map of labels gives the scale and the shift of every norm, at every pixel (section 3)."""

    purpose = "maps of labels to photographs"
    hparams = SPADEHParams
    data = Images

    def __init__(self, hp: SPADEHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = SPADENet(hp.inputs, hp.width, hp.hidden, hp.steps, spec.channels)
        self.multiple = 1 << hp.steps

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
