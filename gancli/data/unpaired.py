"""Images of two domains, not matched."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from gancli.data.feed import Dataset
from gancli.data.sources import Request, open_source
from gancli.data.spec import Batch, DataSpec
from gancli.errors import UserError


@dataclass
class Unpaired(Batch):
    """As many images of A as of B; nothing ties a row of one to the row of the other."""

    a: Tensor  # (N, C, H, W)
    b: Tensor  # (N, C, H, W)

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read the two classes of a source, or the two textures of built-in shapes."""
        pictures = open_source(request)
        if len(pictures.classes) != 2:
            raise UserError(f"--data {request.data}: two domains want two sub-folders, not {len(pictures.classes)}")
        of_class = [np.flatnonzero(pictures.labels == label) for label in (0, 1)]
        rows = min(map(len, of_class))
        a, b = (torch.from_numpy(pictures.images[index[:rows]]) for index in of_class)
        channels, height, width = pictures.images.shape[1:]
        return Dataset(pictures.name, DataSpec(channels, height, width), cls, {"a": a, "b": b}, pictures.notes)
