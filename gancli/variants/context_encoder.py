"""Context Encoder: Pathak et al. 2016, "Context Encoders: Feature Learning by Inpainting", arXiv:1604.07379."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.families.holes import FillsHoles, HoleHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.ops import masks

G_SPEED = 10  # of G's learning rate to D's, in the authors' code


@dataclass(frozen=True, kw_only=True)
class HParams(HoleHParams):
    """Section 5.1 and the authors' code, but no norm in the bottleneck: one number of few images is no batch."""

    rec_weight: float = hparam(0.999, "weight of the squared error, lambda_rec in eq. 3", min=0)
    adv_weight: float = hparam(0.001, "weight of the adversary, lambda_adv in eq. 3", min=0)
    overlap: int = hparam(2, "pixels round the hole that G draws too; their error counts tenfold", min=0)


class ContextEncoder(FillsHoles[HParams]):
    """The surroundings must say what is missing; an adversary, which sees the hole alone, asks for sharpness (eq. 3).

    The authors' G draws the centre only; this one draws the image and is judged in the hole, which may be anywhere.
    """

    purpose = "filling holes in images"
    hparams = HParams

    def players(self) -> Mapping[str, Optimizer]:
        """Adam for both, at two speeds."""
        return {"D": self.adam(self.D), "G": self.adam(self.G, lr=G_SPEED * self.hp.lr)}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """D on the contents of holes, then G on eq. 3."""
        del clock
        hp, image = self.hp, batch.image
        mask = self.hole(image)
        judged = masks.widen(mask, hp.overlap)
        drawn = self.draw(image, mask)
        real, fake = image * judged, drawn * judged  # D does not see what is around (section 3.2)
        yield Turn("D", {"adversarial": self.adversarial.d(self.D(real), self.D(fake.detach()))})
        yield Turn("G", {
            "reconstruction": hp.rec_weight * self.error(drawn, image, mask, judged),
            "adversarial": hp.adv_weight * self.adversarial.g(self.D(fake)),
        })  # fmt: skip

    @staticmethod
    def error(drawn: Tensor, image: Tensor, mask: Tensor, judged: Tensor) -> Tensor:
        """Mean squared error where G is judged, image by image; tenfold in the band it could copy (section 3.3)."""
        weight = judged + 9 * (judged - mask)
        error = (weight * (drawn - image).square()).sum((1, 2, 3))
        return (error / (judged.sum((1, 2, 3)) * image.shape[1])).mean()
