"""Images of two domains, not matched."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from gancli.data import shapes
from gancli.data.feed import Dataset
from gancli.data.sources import Request, open_source
from gancli.data.spec import Batch, DataSpec
from gancli.errors import UserError

TEXTURES = ("outlined", "solid")  # A and B of the built-in shapes


@dataclass
class Unpaired(Batch):
    """As many images of A as of B; nothing ties a row of one to the row of the other."""

    a: Tensor  # (N, C, H, W)
    b: Tensor  # (N, C, H, W)

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read two sub-folders of a source, or two textures of built-in shapes: no shape is in both domains."""
        pictures = open_source(request)
        if len(domains := _domains(request.data, pictures.labels, len(pictures.classes))) != 2:
            raise UserError(f"--data {request.data}: two domains want two sub-folders, not {len(pictures.classes)}")
        rows = min(map(len, domains))
        a, b = (torch.from_numpy(pictures.images[index[:rows]]) for index in domains)
        channels, height, width = pictures.images.shape[1:]
        notes = (*pictures.notes, f"{rows:,} images of each domain, none matched")
        return Dataset(pictures.name, DataSpec(channels, height, width), cls, {"a": a, "b": b}, notes)


def _domains(name: str, labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """The rows of each domain."""
    preset = shapes.PRESETS.get(name)
    if preset is None or not set(TEXTURES) <= set(preset.textures):
        return [np.flatnonzero(labels == label) for label in range(classes)]
    texture = shapes.factors(preset, shapes.SEED, np.arange(len(labels)))["texture"]
    return [np.flatnonzero(texture == preset.textures.index(name)) for name in TEXTURES]
