"""U-GAT-IT: Kim et al. 2020, "U-GAT-IT: Unsupervised Generative Attentional Networks", arXiv:1907.10830."""

from dataclasses import dataclass

from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.repainters import Repainter
from gancli.hparams import HParams, hparam
from gancli.nets.translators.ugatit import DOWN, AttentiveNet


@dataclass(frozen=True, kw_only=True)
class AttentiveHParams(HParams):
    """The authors' code's."""

    width: int = hparam(64, "channels of the first layer", min=1, max=1024)
    blocks: int = hparam(4, "residual blocks before the attention, and again after it", min=0, max=24)
    light: bool = hparam(True, "average over the image before the layers that give the scales; else one size only")


class UGATIT(Repainter[AttentiveHParams]):
    """Attention from a classifier of domains, and norms that mix instance and layer statistics (section 3.1)."""

    purpose = "selfies to anime, and other changes of shape"
    hparams = AttentiveHParams

    def __init__(self, hp: AttentiveHParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        places = 1 if hp.light else (spec.height >> DOWN) * (spec.width >> DOWN)
        self.G = AttentiveNet(hp.width, hp.blocks, places, spec.channels)

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images (N, C, H, W); raise UserError for another size than the full form's."""
        size = self.spec.height, self.spec.width
        if not self.hp.light and image.shape[2:] != size:
            said = f"{size[1]}x{size[0]}"
            raise UserError(f"this model translates images of {said} only: give --size {said}")
        return super().translate(image, direction)
