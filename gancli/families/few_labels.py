"""The family that learns classes from a few labelled images and from many without."""

from dataclasses import dataclass
from typing import Any, TypeVar

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import PartlyLabelled, hold_out, show_labels
from gancli.data.request import Request
from gancli.gan import GAN
from gancli.hparams import HParams, hparam


@dataclass(frozen=True, kw_only=True)
class FewLabelsHParams(HParams):
    """How many labels it may see."""

    labels_per_class: int = hparam(10, "labels of each class that are shown, the others are hidden; 0: all", min=0)


H = TypeVar("H", bound=FewLabelsHParams)


class FewLabels(GAN[H]):
    """Beside every batch of images, whatever their labels, come as many examples whose label is known."""

    data = PartlyLabelled

    @classmethod
    def dataset(cls, hp: H, request: Request) -> Dataset[Any]:
        """Hold rows out to measure accuracy on, then hide labels."""
        return show_labels(hold_out(super().dataset(hp, request)), hp.labels_per_class)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are told apart."""
        return self.spec.classes
