"""Translators between two domains without matched pairs: one network per direction."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.families.translators import H, Translator, TranslatorHParams
from gancli.nets.patchgan import PatchGAN
from gancli.ops.crop_flip import jitter


def cut(batch: Unpaired, hp: TranslatorHParams) -> tuple[Tensor, Tensor]:
    """Crop and mirror the images of both domains at random, independently."""
    (a,), (b,) = (jitter(x, enlarge=hp.enlarge, mirror=hp.mirror) for x in (batch.a, batch.b))
    return a, b


def translated(domains: tuple[str, ...]) -> tuple[str, ...]:
    """Name the rows of a panel that shows two domains, each with its translations to the other."""
    a, b = domains or ("A", "B")
    return f"source: {a}", f"translation: {b}", f"source: {b}", f"translation: {a}"


class BothWays(Translator[H]):
    """Translate in both directions, and show both."""

    data = Unpaired
    directions = ("AB", "BA")

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images in one direction."""
        raise NotImplementedError

    def fakes(self, batch: Unpaired) -> Tensor:
        """Translate A's images."""
        return self.translate(batch.a, "AB")

    def panels(self, batch: Unpaired) -> list[Tensor]:
        """Return A, A translated to B, B, and B translated to A."""
        return [batch.a, self.fakes(batch), batch.b, self.translate(batch.b, "BA")]

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel."""
        return translated(self.spec.domains)


class TwoWay(BothWays[H]):
    """Translators AB and BA, with one D per domain. A variant defines their losses."""

    served = ("AB", "BA")

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
        """Return Adam optimisers: both translators are one player, both discriminators the other."""
        return {"G": self.adam(self.AB, self.BA), "D": self.adam(self.DA, self.DB)}

    def cut(self, batch: Unpaired) -> tuple[Tensor, Tensor]:
        """Crop and mirror the images of both domains at random, independently."""
        return cut(batch, self.hp)

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images in one direction."""
        return (self.AB if direction == "AB" else self.BA)(image).float()
