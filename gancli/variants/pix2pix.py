"""Pix2Pix: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", arXiv:1611.07004."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gancli.families.pairs import SourceToTarget
from gancli.families.translators import QUICK, TranslatorAdamHParams
from gancli.hparams import hparam
from gancli.nets import unet


@dataclass(frozen=True, kw_only=True)
class HParams(TranslatorAdamHParams):
    """Section 3 and appendix 6.2."""

    l1: float = hparam(100.0, "weight of the distance to the target, lambda in eq. 4", min=0)
    dropout: float = hparam(0.5, "dropout in the first levels of G's decoder: its noise z (section 2.1)", min=0, max=1)


class Pix2Pix(SourceToTarget[HParams]):
    """A loss that is learned makes sharp what an L1 alone would blur (section 3.1)."""

    purpose = "translating A to B, learned from pairs"
    recommended = True  # docs/which-variant.md
    hparams = HParams
    quick: ClassVar = {**QUICK, "batch": 8, "kimg": 60.0}
    on_small: ClassVar = {"layers": 1, "lr": 1e-3, "kimg": 20}

    def generator(self) -> nn.Module:
        """A U-Net as deep as the image allows. Its dropout is off in translation unless noise is asked for."""
        levels = unet.levels_of(self.spec)
        self.multiple = 1 << levels
        return unet.UNet(self.hp.width, levels, self.spec, self.hp.dropout)

    def d_terms(self, source: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Half of the loss: D learns more slowly (section 3.3)."""
        return {name: term / 2 for name, term in super().d_terms(source, target, fake).items()}

    def g_terms(self, source: Tensor, target: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The adversarial term and L1 (eq. 4)."""
        return super().g_terms(source, target, fake) | {"l1": self.hp.l1 * l1_loss(fake, target)}
