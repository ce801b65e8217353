"""AAE, semi-supervised: Makhzani et al. 2015, "Adversarial Autoencoders", arXiv:1511.05644, section 5."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from gancli.data.kinds.labelled import PartlyLabelled
from gancli.families.aae import Regularised
from gancli.families.codes import CodeHParams
from gancli.families.few_labels import FewLabels, FewLabelsHParams
from gancli.families.latents import FromLabels
from gancli.gan import Clock, Turn


@dataclass(frozen=True, kw_only=True)
class HParams(FewLabelsHParams, CodeHParams):
    """The latent: z_dim numbers for the style, and the class."""

    z_dim: int = 4
    lr: float = 1e-3
    kimg: float = 100


class AAESemi(FewLabels[HParams], FromLabels[HParams], Regularised[HParams]):
    """E reads class and style apart; an adversary makes the class look like a label, and few labels say which (5)."""

    purpose = "classifying from few labels; class and style apart"
    hparams = HParams
    truncates_by = "the share of samples nearest to the middle of their class"

    @property
    def categories(self) -> int:
        """One for each class."""
        return len(self.classes)

    def players(self) -> Mapping[str, Optimizer]:
        """E learns from labels with an optimiser of its own: C."""
        return {**super().players(), "C": self.adam(self.E)}

    def play(self, batch: PartlyLabelled, clock: Clock) -> Iterator[Turn]:
        """The phases of reconstruction and regularisation, then that of the labels (section 5)."""
        yield from super().play(batch, clock)
        logits = self.classify(batch.example)
        accuracy = (logits.argmax(1) == batch.label).float().mean()
        yield Turn("C", {"class": F.cross_entropy(logits, batch.label)}, {"accuracy": accuracy})

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """How near a style is to the middle of all: far out, images of a class look less like it."""
        del image
        return -z[:, : self.hp.z_dim].square().sum(1)

    def classify(self, image: Tensor) -> Tensor:
        """Name the classes of images: logits (N, K)."""
        return self.read(image)[1]
