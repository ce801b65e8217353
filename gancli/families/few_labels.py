"""Semi-supervised GANs, which learn classes from a few labelled images and many unlabelled ones."""

from dataclasses import dataclass
from typing import Any, TypeVar

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import PartlyLabelled, hold_out, show_labels
from gancli.data.request import Request
from gancli.gan import GAN
from gancli.hparams import HParams, hparam


@dataclass(frozen=True, kw_only=True)
class FewLabelsHParams(HParams):
    """The number of labels for training."""

    labels_per_class: int = hparam(10, "labelled images per class, other labels are hidden; 0: all", min=0)


H = TypeVar("H", bound=FewLabelsHParams)


class FewLabels(GAN[H]):
    """Every batch of images comes with an equal number of labelled examples."""

    data = PartlyLabelled

    @classmethod
    def dataset(cls, hp: H, request: Request) -> Dataset[Any]:
        """Hold images out to measure accuracy, then hide labels."""
        return show_labels(hold_out(super().dataset(hp, request)), hp.labels_per_class)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes that it distinguishes."""
        return self.spec.classes
