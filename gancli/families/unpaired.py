"""The family that translates between two domains whose images are not matched: one network each way."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.families.translators import H, Translator
from gancli.nets.patchgan import PatchGAN
from gancli.ops.crop_flip import jitter


class TwoWay(Translator[H]):
    """AB and BA, with a D for what each draws. A variant says what they play for."""

    data = Unpaired
    served = ("AB", "BA")
    directions = ("AB", "BA")

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.AB, self.BA = self.translator(), self.translator()
        self.DA, self.DB = self.discriminator(), self.discriminator()

    def translator(self) -> nn.Module:
        """Build a network from images to images (N, C, H, W)."""
        raise NotImplementedError

    def discriminator(self) -> nn.Module:
        """Build D: images (N, C, H, W) -> logits of patches."""
        return PatchGAN(self.hp.width, self.hp.layers, self.spec)

    def players(self) -> Mapping[str, Optimizer]:
        """Both translators are one player, both D's the other (Adam, unless a variant says otherwise)."""
        return {"G": self.adam(self.AB, self.BA), "D": self.adam(self.DA, self.DB)}

    def cut(self, batch: Unpaired) -> tuple[Tensor, Tensor]:
        """Take random crops and mirror images of both domains, each its own."""
        (a,), (b,) = (jitter(x, enlarge=self.hp.enlarge, mirror=self.hp.mirror) for x in (batch.a, batch.b))
        return a, b

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Send images through one of the translators."""
        return (self.AB if direction == "AB" else self.BA)(image).float()

    def fakes(self, batch: Unpaired) -> Tensor:
        """What becomes of A's images."""
        return self.translate(batch.a, "AB")

    def panels(self, batch: Unpaired) -> list[Tensor]:
        """A, A as B, B, B as A."""
        return [batch.a, self.fakes(batch), batch.b, self.translate(batch.b, "BA")]
