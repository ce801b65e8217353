"""CGAN: Mirza and Osindero 2014, "Conditional Generative Adversarial Nets", arXiv:1411.1784."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from gancli.data.kinds.labelled import Labelled
from gancli.families.labels import LabelHParams, LabelToImage
from gancli.gan import Turn
from gancli.hparams import hparam
from gancli.nets import conditional
from gancli.system import dist

CRITICS = {
    "concat": conditional.Concat,
    "hadamard": conditional.Hadamard,
    "two-net": conditional.TwoNets,
    "projection": conditional.Projection,
}


@dataclass(frozen=True, kw_only=True)
class HParams(LabelHParams):
    """The paper's networks are fully connected; these are DCGAN's, told the label y."""

    conditioning: Literal["concat", "hadamard", "two-net", "projection"] = hparam(
        "concat",
        "how y enters: beside the noise and the image (section 3.2); as a factor on noise and features; "
        "in a second network of D that scores the match; or projected on D's features (Miyato and Koyama 2018, eq. 4)",
    )


class CGAN(LabelToImage[HParams]):
    """Both players are given the label, so that D judges whether an image is real for it (section 3.2, eq. 2)."""

    purpose = "new images of a chosen class"
    hparams = HParams

    def generator(self) -> nn.Module:
        """Append the label to the noise, or scale the noise by it."""
        if self.hp.conditioning == "hadamard":
            z_dim = self.hp.z_dim
            return conditional.HadamardGenerator(z_dim, len(self.classes), self.convolutional(z_dim))
        return super().generator()

    def discriminator(self) -> nn.Module:
        """Build D: images (N, C, H, W) and labels (N, K) -> logits (N,)."""
        return CRITICS[self.hp.conditioning](self.hp.width, self.spec, self.d_norm)

    def d_turn(self, batch: Labelled, fake: Tensor) -> Turn:
        """Eq. 2. With two networks, a real image of another class is a third kind, and counts as half of the fakes."""
        y = self.one_hot(batch.label)
        not_right = self.D(fake, y)
        if self.hp.conditioning == "two-net":
            other = self.one_hot(self.other_label(batch.label))
            not_right = torch.cat([not_right, self.D(batch.image, other)])
        return Turn("D", {"adversarial": self.adversarial.d(self.D(batch.image, y), not_right)})

    def g_turn(self, fake: Tensor, label: Tensor) -> Turn:
        """Be real for the label."""
        return Turn("G", {"adversarial": self.adversarial.g(self.D(fake, self.one_hot(label)))})

    def logit(self, image: Tensor, label: Tensor) -> Tensor:
        """Judge images for their labels."""
        return self.D(image, self.one_hot(label))

    def other_label(self, label: Tensor) -> Tensor:
        """Draw labels (N,), each other than the one given."""
        classes = len(self.classes)
        away = dist.rows(lambda rows: torch.randint(1, classes, (rows,), device=label.device), len(label))
        return (label + away) % classes
