"""Translators trained on pairs: one generator, and a D that also sees the source."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.paired import Paired
from gancli.data.spec import DataSpec
from gancli.families.translators import H, Translator
from gancli.gan import Clock, Turn
from gancli.nets.patchgan import PatchGAN
from gancli.ops import losses
from gancli.ops.crop_flip import jitter


class SourceToTarget(Translator[H]):
    """D distinguishes (source, target) from (source, fake), then G plays. A variant changes networks and terms."""

    data = Paired
    directions = ("AB",)
    adversarial = losses.NONSATURATING

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G, self.D = self.generator(), self.discriminator()

    def generator(self) -> nn.Module:
        """Build G: (N, C, H, W) -> (N, C, H, W)."""
        raise NotImplementedError

    def discriminator(self) -> nn.Module:
        """Build D: source and image (N, 2C, H, W) -> logits of patches."""
        return PatchGAN(self.hp.width, self.hp.layers, self.spec, given=self.spec.channels)

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam for each."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def play(self, batch: Paired, clock: Clock) -> Iterator[Turn]:
        """Play D, then G, on one fake; source and target get the same random crop."""
        del clock
        source, target = jitter(batch.source, batch.target, enlarge=self.hp.enlarge, mirror=self.hp.mirror)
        fake = self.G(source).float()
        yield Turn("D", self.d_terms(source, target, fake.detach()))
        yield Turn("G", self.g_terms(source, target, fake))

    def judge(self, source: Tensor, image: Tensor) -> Tensor:
        """Return D's logits for images, given their sources."""
        return self.D(torch.cat([source, image], 1))

    def d_terms(self, source: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss terms of D."""
        return {"adversarial": self.adversarial.d(self.judge(source, target), self.judge(source, fake))}

    def g_terms(self, source: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss terms of G."""
        del target
        return {"adversarial": self.adversarial.g(self.judge(source, fake))}

    def translate(self, image: Tensor, direction: str = "AB") -> Tensor:
        """Translate images with G."""
        del direction
        return self.G(image).float()

    def fakes(self, batch: Paired) -> Tensor:
        """Translate the sources."""
        return self.translate(batch.source)

    def panels(self, batch: Paired) -> list[Tensor]:
        """Return source, fake and target."""
        return [batch.source, self.fakes(batch), batch.target]

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel."""
        return "source", "translation", "target"
