"""CycleGAN: Zhu et al. 2017, "Unpaired Image-to-Image Translation Using Cycle-Consistent …", arXiv:1703.10593."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.families.translators import QUICK_RESNET, ResnetHParams, halves
from gancli.families.unpaired import TwoWay
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import resnet_translator
from gancli.ops import losses
from gancli.ops.image_pool import ImagePool


@dataclass(frozen=True, kw_only=True)
class HParams(ResnetHParams):
    """Section 4 and appendix 7."""

    cycle: float = hparam(10.0, "weight of what a round trip must bring back, lambda in eq. 3", min=0)
    identity: float = hparam(
        0.5, "weight, as a share of --cycle, of leaving images of the target domain alone (section 5.2)", min=0
    )
    pool: int = hparam(50, "fakes kept to show D again (section 4); 0: none", min=0)


class CycleGAN(TwoWay[HParams]):
    """A to B and B to A, tied by what a round trip must bring back (section 3.2)."""

    purpose = "translating A to B and back"
    recommended = True  # docs/which-variant.md
    hparams = HParams
    adversarial = losses.LEAST_SQUARES
    quick: ClassVar = QUICK_RESNET
    on_small: ClassVar = {"down": 1, "layers": 2, "lr": 1e-3}

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.multiple = 1 << hp.down
        self.pool_a, self.pool_b = ImagePool(hp.pool, spec), ImagePool(hp.pool, spec)

    def translator(self) -> nn.Module:
        """The residual network of Johnson et al. 2016."""
        return resnet_translator.ResnetTranslator(self.hp.width, self.hp.blocks, self.spec, down=self.hp.down)

    def play(self, batch: Unpaired, clock: Clock) -> Iterator[Turn]:
        """Both translators, then both D's, on fakes of now and of before. Fakes and identities share a pass."""
        del clock
        a, b = self.cut(batch)
        fake_b, same_b = halves(self.AB, a, b)
        fake_a, same_a = halves(self.BA, b, a)
        yield Turn("G", self.g_terms(a, b, fake_a, fake_b, same_a, same_b))
        old_a, old_b = self.pool_a.swap(fake_a), self.pool_b.swap(fake_b)
        adversarial = self.adversarial.d  # its half is the authors' slower D
        yield Turn("D", {"a": adversarial(*halves(self.DA, a, old_a)), "b": adversarial(*halves(self.DB, b, old_b))})

    def g_terms(
        self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor, same_a: Tensor, same_b: Tensor
    ) -> dict[str, Tensor]:
        """What both translators minimise (eq. 3, and the identity of section 5.2)."""
        hp, adversarial = self.hp, self.adversarial
        return {
            "adversarial": 2 * (adversarial.g(self.DA(fake_a)) + adversarial.g(self.DB(fake_b))),  # no half for G
            "cycle": hp.cycle * (l1_loss(self.BA(fake_b).float(), a) + l1_loss(self.AB(fake_a).float(), b)),
            "identity": hp.cycle * hp.identity * (l1_loss(same_a, a) + l1_loss(same_b, b)),
        }
