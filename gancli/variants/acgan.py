"""AC-GAN: Odena et al. 2017, "Conditional Image Synthesis With Auxiliary Classifier GANs", arXiv:1610.09585."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import Labelled, hold_out
from gancli.data.request import Request
from gancli.families.labels import LabelHParams, LabelToImage
from gancli.gan import Turn
from gancli.hparams import hparam
from gancli.nets import dcgan
from gancli.nets.layers.norms import untracked


@dataclass(frozen=True, kw_only=True)
class HParams(LabelHParams):
    """The paper trains one model for every ten classes; more of them want a larger one."""

    class_weight: float = hparam(1.0, "weight of the class terms L_C (eq. 3) beside the source terms L_S", min=0)


class ACGAN(LabelToImage[HParams]):
    """D is not told the label: it must name it, for reals and fakes, and G helps it to be right (section 3)."""

    purpose = "new images of a chosen class; D names the class"
    recommended = True  # docs/which-variant.md
    hparams = HParams
    served = ("G", "D")

    @classmethod
    def dataset(cls, hp: Any, request: Request) -> Dataset[Any]:
        """Hold rows out to measure the class head on."""
        return hold_out(super().dataset(hp, request))

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> the logit of the source and those of the classes, (N, 1 + K)."""
        return dcgan.Discriminator(self.hp.width, self.spec, self.d_norm, outputs=1 + len(self.classes))

    def d_turn(self, batch: Labelled, fake: Tensor) -> Turn:
        """Maximise L_S + L_C, where L_C counts reals and fakes (eq. 2 and 3)."""
        real, real_class = self.judge(batch.image)
        fake_source, fake_class = self.judge_fake(fake)
        named = self.named(real_class, batch.label) + self.named(fake_class, batch.label)
        accuracy = (real_class.argmax(1) == batch.label).float().mean()
        return Turn("D", {"adversarial": self.adversarial.d(real, fake_source), "class": named}, {"accuracy": accuracy})

    def g_turn(self, fake: Tensor, label: Tensor) -> Turn:
        """Maximise L_C - L_S; the latter without saturating."""
        source, classes = self.judge_fake(fake)
        return Turn("G", {"adversarial": self.adversarial.g(source), "class": self.named(classes, label)})

    def logit(self, image: Tensor, label: Tensor) -> Tensor:
        """Judge the source alone."""
        del label
        return self.judge(image)[0]

    def judge(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give logits of the source (N,) and of the classes (N, K)."""
        out = self.D(image)
        return out[:, 0], out[:, 1:]

    def judge_fake(self, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Judge fakes by their own statistics, and leave the running ones to real images, which `classify` sees."""
        with untracked(self.D):
            return self.judge(fake)

    def named(self, logits: Tensor, label: Tensor) -> Tensor:
        """The weighted cross-entropy of raw logits (N, K): a softmax before it would leave a floor."""
        return self.hp.class_weight * F.cross_entropy(logits.float(), label)

    def classify(self, image: Tensor) -> Tensor:
        """Name the classes of images: logits (N, K)."""
        return self.judge(image)[1]
