"""SGAN: Odena 2016, "Semi-Supervised Learning with Generative Adversarial Networks", arXiv:1606.01583."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.kinds.labelled import PartlyLabelled
from gancli.families.few_labels import FewLabels, FewLabelsHParams
from gancli.families.noise import ConvHParams, DNorm, NoiseToImage
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import dcgan
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams, FewLabelsHParams):
    """How it learns from images without labels."""

    # batches of examples, of unlabelled images and of fakes would shift a batch norm each its way
    d_norm: DNorm = "layer"

    rule: Literal["odena", "salimans"] = hparam(
        "odena",
        "odena: N + 1 classes, the last is FAKE, and G wants not to be it (section 2); salimans: the last logit is "
        "fixed at 0, labels decide among the N, and G matches D's features (Salimans et al. 2016, section 5)",
    )
    unlabelled_weight: float = hparam(1.0, "weight of the real-or-fake terms of D, on unlabelled images", min=0)


class SGAN(FewLabels[HParams], NoiseToImage[HParams]):
    """D is a classifier with one class more, FAKE; so images without labels teach it too (section 2)."""

    purpose = "classifying from few labels, and new images"
    recommended = True  # docs/which-variant.md
    hparams = HParams
    D: dcgan.Discriminator
    served = ("G", "D")

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> logits (N, K + 1), or (N, K) where the last is fixed."""
        free = self.hp.rule == "odena"
        return dcgan.Discriminator(self.hp.width, self.spec, self.d_norm, outputs=len(self.classes) + free)

    # narrower than the base's batch, as `data` says
    def play(self, batch: PartlyLabelled, clock: Clock) -> Iterator[Turn]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Labels teach the classes; images without, and fakes, teach what is FAKE."""
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        named = self.logits(batch.example)
        unlabelled = self.adversarial.d(self.realness(self.logits(batch.image)), self.realness(self.logits(fake)))
        terms = {"class": self.supervised(named, batch.label), "unlabelled": self.hp.unlabelled_weight * unlabelled}
        terms |= self.slopes(lambda x: self.realness(self.logits(x)), batch.image, fake, clock)
        yield Turn("D", terms, {"accuracy": (named[:, :-1].argmax(1) == batch.label).float().mean()})
        if clock.every(self.hp.n_critic):
            yield Turn("G", self.g_terms_beside(batch.image, self.generate(self.prior(len(batch)))))

    def mixes(self) -> tuple[str, ...]:
        """With Salimans' rule, G matches mean features."""
        return (*super().mixes(), *(["feature matching"] if self.hp.rule == "salimans" else []))

    def logits(self, image: Tensor) -> Tensor:
        """Give logits (N, K + 1) of the classes and of FAKE."""
        out = self.D(image).float()
        return F.pad(out, (0, 1)) if self.hp.rule == "salimans" else out

    def realness(self, logits: Tensor) -> Tensor:
        """Logit (N,) of not being FAKE; for a last logit of 0, D = Z / (Z + 1) (Salimans et al. 2016, section 5)."""
        return logits[:, :-1].logsumexp(1) - logits[:, -1]

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """How sure D is that an image is not FAKE."""
        del z
        return self.realness(self.logits(image))

    def supervised(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy of the examples: over N + 1 classes, or given that they are real."""
        return F.cross_entropy(logits[:, :-1] if self.hp.rule == "salimans" else logits, label)

    def g_terms_beside(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Be no FAKE; or have the features of reals, on average."""
        if self.hp.rule == "salimans":
            return {"feature_matching": losses.mean_matching(self.D.trunk(real), self.D.trunk(fake))}
        return {"adversarial": self.adversarial.g(self.realness(self.logits(fake)))}

    def classify(self, image: Tensor) -> Tensor:
        """Name the classes of images: logits (N, K). Leaving FAKE out, a softmax of them adds to 1 over the N."""
        return self.logits(image)[:, :-1]
