"""GANs that learn from images with labels and from images without: where the data have classes, so do latents."""

from dataclasses import dataclass
from typing import Any, TypeVar

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import OptionallyLabelled, only_labelled, without_labels
from gancli.data.request import Request
from gancli.gan import GAN
from gancli.hparams import HParams, hparam


@dataclass(frozen=True, kw_only=True)
class OptionalLabelsHParams(HParams):
    """Whether labels are used."""

    labels: bool = hparam(True, "give both networks the labels of the images, if the data have labels")


H = TypeVar("H", bound=OptionalLabelsHParams)


class OptionalLabels(GAN[H]):
    """Its data may have labels, for a variant beside `FromLabels`, whose `known` gives images without labels one."""

    data = OptionallyLabelled

    @classmethod
    def dataset(cls, hp: Any, request: Request) -> Dataset[Any]:
        """Open the images that have labels; or all images, without labels."""
        found = super().dataset(hp, request)
        return only_labelled(found) if hp.labels else without_labels(found)
