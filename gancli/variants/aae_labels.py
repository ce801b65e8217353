"""AAE, labels in the prior: Makhzani et al. 2015, "Adversarial Autoencoders", arXiv:1511.05644, section 2.3."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from gancli.data.kinds.labelled import PartlyLabelled
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.codes import Coded, CodeHParams
from gancli.families.few_labels import FewLabels, FewLabelsHParams
from gancli.families.latents import FromLabels
from gancli.gan import Clock, Turn
from gancli.nets import mlp
from gancli.ops import losses, priors


@dataclass(frozen=True, kw_only=True)
class HParams(FewLabelsHParams, CodeHParams):
    """The prior is a ring of Gaussians in the first two axes of the code, one for each class."""

    z_dim: int = 2
    lr: float = 1e-3
    kimg: float = 100
    labels_per_class: int = 0


class AAELabels(FewLabels[HParams], FromLabels[HParams], Coded[HParams]):
    """D is told the label, so that the codes of each class go to a Gaussian of their own (section 2.3, figure 3).

    A latent is noise and a class; where on the ring the two lie is the code.
    """

    purpose = "codes of images, with a place for each class"
    hparams = HParams
    truncates_by = "the share of samples nearest to the middle of their class"
    adversarial = losses.NONSATURATING

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        if hp.z_dim < 2:
            raise UserError(f"--z-dim {hp.z_dim}: the ring of the classes needs 2 axes or more")
        super().__init__(hp, spec)
        self.D = mlp.CodeDiscriminator(hp.z_dim + len(self.classes) + 1, hp.hidden)  # one slot for "no label"

    def players(self) -> Mapping[str, Optimizer]:
        """E plays twice: with G for the image, against D for the code."""
        return {"G": self.adam(self.G, self.E), "D": self.adam(self.D), "E": self.adam(self.E)}

    def play(self, batch: PartlyLabelled, clock: Clock) -> Iterator[Turn]:
        """Images without and with their label: each code beside what D is told, against the prior given the same."""
        del clock
        image, untold = torch.cat([batch.image, batch.example]), torch.full_like(batch.label, len(self.classes))
        told = F.one_hot(torch.cat([untold, batch.label]), len(self.classes) + 1).float()
        yield Turn("G", {"reconstruction": (self.G(self.E(image)).float() - image).square().mean()})
        of_any, of_label = self.prior(len(batch)), self.of_class(self.prior(len(batch)), batch.label)
        drawn = self.place(torch.cat([of_any, of_label]))
        with torch.no_grad():
            read = self.E(image)
        yield Turn("D", {"adversarial": self.adversarial.d(self.judge(drawn, told), self.judge(read, told))})
        yield Turn("E", {"adversarial": self.adversarial.g(self.judge(self.E(image), told))})

    def judge(self, code: Tensor, told: Tensor) -> Tensor:
        """Give the logits of codes (N, Z) with their labels (N, K + 1)."""
        return self.D(torch.cat([code, told], 1))

    def place(self, z: Tensor) -> Tensor:
        """Put latents on the ring: codes (N, Z)."""
        return priors.petals(z[:, : self.hp.z_dim], z[:, self.hp.z_dim :])

    def generate(self, z: Tensor) -> Tensor:
        """Draw images from latents."""
        return self.G(self.place(z)).float()

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """How near to the middle of its Gaussian a code is: between two Gaussians, images are of neither class."""
        del image
        return -z[:, : self.hp.z_dim].square().sum(1)

    def encode(self, image: Tensor) -> Tensor:
        """Read the noise and the class off images, by where on the ring their codes lie."""
        noise, density = priors.unpetalled(self.E(image).float(), len(self.classes))
        return torch.cat([noise, self.one_hot(density.argmax(1))], 1)

    def classify(self, image: Tensor) -> Tensor:
        """Say how likely the code of an image is to come from the Gaussian of each class: logits (N, K)."""
        return priors.unpetalled(self.E(image).float(), len(self.classes))[1]
