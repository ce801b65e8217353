"""DualGAN: Yi et al. 2017, "DualGAN: Unsupervised Dual Learning for Image-to-Image Translation", arXiv:1704.02510."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn.functional import l1_loss
from torch.optim import Optimizer

from gancli.data.kinds.unpaired import Unpaired
from gancli.families.translators import QUICK, TranslatorHParams
from gancli.families.unpaired import TwoWay
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import unet
from gancli.ops import losses
from gancli.optim import RMSprop


@dataclass(frozen=True, kw_only=True)
class HParams(TranslatorHParams):
    """The authors' code: a sigmoid's loss where the paper has a clipped critic's, G twice for each turn of D.

    Its dropout also acts in tests; here translations have none unless noise is asked for.
    """

    lr: float = 5e-5
    decay: float = 0.0
    rms_decay: float = hparam(0.9, "RMSprop's decay of the mean squared gradient", min=0, max=1)
    recon: float = hparam(20.0, "weight of what a round trip must bring back, lambda_U and lambda_V in eq. 3", min=0)
    g_objectives: int = hparam(2, "G turns for each D turn", min=1)
    dropout: float = hparam(0.5, "dropout in the first levels of the decoders: the noise z", min=0, max=1)


class DualGAN(TwoWay[HParams]):
    """Two tasks teach each other: what the primal translates, the dual must translate back (section 3.1)."""

    purpose = "translating A to B and back, with a U-Net"
    hparams = HParams
    quick: ClassVar = {**QUICK, "decay": 0.5}

    def translator(self) -> nn.Module:
        """A U-Net as deep as the image allows (section 3.2)."""
        levels = unet.levels_of(self.spec)
        self.multiple = 1 << levels
        return unet.UNet(self.hp.width, levels, self.spec, self.hp.dropout)

    def players(self) -> Mapping[str, Optimizer]:
        """RMSprop, as both paper and code have it (section 3.3)."""
        made = {"D": nn.ModuleList([self.DA, self.DB]), "G": nn.ModuleList([self.AB, self.BA])}
        return {name: RMSprop(nets.parameters(), self.hp.lr, self.hp.rms_decay) for name, nets in made.items()}

    def play(self, batch: Unpaired, clock: Clock) -> Iterator[Turn]:
        """Algorithm 1, with the code's rhythm."""
        del clock
        hp, adversarial, (a, b) = self.hp, losses.NONSATURATING, self.cut(batch)
        fake_b, fake_a = self.translate(a, "AB"), self.translate(b, "BA")
        d_a = adversarial.d(self.DA(a), self.DA(fake_a.detach()))
        yield Turn("D", {"a": d_a, "b": adversarial.d(self.DB(b), self.DB(fake_b.detach()))})
        for turn in range(hp.g_objectives):
            if turn:
                fake_b, fake_a = self.translate(a, "AB"), self.translate(b, "BA")
            back_a, back_b = self.translate(fake_b, "BA"), self.translate(fake_a, "AB")
            fooled = adversarial.g(self.DA(fake_a)) + adversarial.g(self.DB(fake_b))
            yield Turn("G", {"adversarial": fooled, "recon": hp.recon * (l1_loss(back_a, a) + l1_loss(back_b, b))})
