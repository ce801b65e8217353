"""CC-GAN: Denton et al. 2017, "Semi-Supervised Learning with Context-Conditional GANs", arXiv:1611.06430."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from gancli.data.dataset import Dataset
from gancli.data.kinds.images import Images
from gancli.data.kinds.labelled import PartlyLabelled
from gancli.data.request import Request
from gancli.families.few_labels import FewLabels, FewLabelsHParams
from gancli.families.holes import FillsHoles, SquareHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import dcgan
from gancli.nets.layers.norms import LayerNorm2d
from gancli.ops import masks


@dataclass(frozen=True, kw_only=True)
class HParams(SquareHParams, FewLabelsHParams):
    """The hole moves about, and D has a head for the classes."""

    class_weight: float = hparam(
        1.0, "weight of the class term, lambda_c in eq. 3; 0: no classes are learnt, and the data need no labels", min=0
    )


class CCGAN(FewLabels[HParams], FillsHoles[HParams]):
    """D sees a filling pasted into its image, so it must fit what is around; no pixel is compared (section 3)."""

    purpose = "filling holes, and classifying from few labels"
    hparams = HParams
    served = ("G", "D")

    @classmethod
    def dataset(cls, hp: HParams, request: Request) -> Dataset[Any]:
        """With labels, if they are to be learnt."""
        return super().dataset(hp, request) if hp.class_weight else Images.open(request)

    def discriminator(self) -> dcgan.Discriminator:
        """Build D: (N, C, H, W) -> the logit of the source and those of the classes, (N, 1 + K)."""
        # layer norm: batches of examples, of unlabelled images and of fakes would shift a batch norm each its way
        return dcgan.Discriminator(self.hp.width, self.spec, LayerNorm2d, outputs=1 + len(self.classes))

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are told apart, if any are."""
        return self.spec.classes if self.hp.class_weight else ()

    def play(self, batch: Images | PartlyLabelled, clock: Clock) -> Iterator[Turn]:
        """Eq. 3: D on whole images, on pasted ones and on examples; then G."""
        del clock
        image = batch.image
        mask = self.hole(image)
        fake = masks.paste(image, mask, self.draw(image, mask))
        terms = {"adversarial": self.adversarial.d(self.source(image), self.source(fake.detach()))}
        stats = {}
        if isinstance(batch, PartlyLabelled):
            named = self.classify(batch.example)
            terms["class"] = self.hp.class_weight * F.cross_entropy(named, batch.label)
            stats["accuracy"] = (named.argmax(1) == batch.label).float().mean()
        yield Turn("D", terms, stats)
        yield Turn("G", {"adversarial": self.adversarial.g(self.source(fake))})

    def source(self, image: Tensor) -> Tensor:
        """Give the logits of images being real and whole (N,)."""
        return self.D(image).reshape(len(image), -1)[:, 0]

    def classify(self, image: Tensor) -> Tensor:
        """Name the classes of images: logits (N, K)."""
        return self.D(image)[:, 1:].float()
