"""Unlabelled images."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Request
from gancli.data.sources.open import open_source
from gancli.data.spec import DataSpec


@dataclass
class Images(Batch):
    """Images without labels, even if the source has some."""

    needs: ClassVar[str] = "images"

    image: Tensor  # (N, C, H, W)

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read the images of a source."""
        pictures = open_source(request)
        images = torch.from_numpy(pictures.images)
        channels, height, width = images.shape[1:]
        spec = DataSpec(channels, height, width)
        unused = pictures.classes if pictures.labelled else ()
        columns, content = cls.columns_of(images), pictures.digest
        return Dataset(pictures.name, spec, cls, columns, pictures.notes, unused=unused, content=content)

    @classmethod
    def columns_of(cls, images: Tensor) -> dict[str, Tensor]:
        """Return the columns of a data set of images (N, C, H, W) of which nothing else is known."""
        return {"image": images}
