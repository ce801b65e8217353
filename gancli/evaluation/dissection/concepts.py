"""Concepts that units are matched with: those of the built-in shapes, or those of the user's masks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gancli.data.synthetic.shapes import PRESETS, SHAPES, Preset
from gancli.errors import UserError
from gancli.evaluation.dissection.masks import Masks
from gancli.evaluation.known_truth import shape_masks

Read = Callable[[tuple[int, ...], Tensor], Tensor]  # seeds and their images, uint8 (N, 3, H, W) -> labels (N, H, W)
Area = Callable[[str, Tensor], Tensor]  # a concept and any images -> the share of each image that it covers (N,)


@dataclass(frozen=True)
class Concepts:
    """Concepts, each a set of labels; every point of an image has one label, or -1 if it is unknown."""

    source: str  # for the protocol
    names: tuple[str, ...]
    members: Tensor  # bool (K, C): which labels belong to which concepts
    read: Read
    area: Area | None  # None: changed images cannot be read


def of_shapes(data: str | None, size: tuple[int, int]) -> Concepts:
    """Return the concepts of a built-in, read from images of (height, width) by re-rendering them."""
    if data not in PRESETS:
        raise UserError(f"--dissect needs concepts: give --data {' or '.join(PRESETS)}, or masks with --masks DIR")
    if size[0] != size[1]:
        raise UserError(f"--data {data} is square, but the model generates {size[1]}x{size[0]}: give --masks DIR")
    preset = PRESETS[data]
    names = shape_masks.concepts(preset)
    members = torch.from_numpy(shape_masks.members(preset))

    def read(_seeds: tuple[int, ...], images: Tensor) -> Tensor:
        return torch.from_numpy(shape_masks.exact(preset, _levels(preset, images)))

    def area(name: str, images: Tensor) -> Tensor:
        # shapes are told apart by re-rendering; the others are seen in images that show no shape, too
        label = (shape_masks.exact if name in SHAPES else shape_masks.by_point)(preset, _levels(preset, images))
        of_concept = members[:, names.index(name)].numpy()
        return torch.from_numpy(((label >= 0) & of_concept[label]).mean((1, 2)))

    return Concepts(f"{data}, recovered by re-rendering", names, members, read, area)


def _levels(preset: Preset, images: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return images[:, : preset.channels].cpu().numpy()


def of_masks(masks: Masks, size: tuple[int, int]) -> Concepts:
    """Return the concepts of the user's masks, which are read when needed."""
    values = tuple(masks.names)
    members = torch.arange(masks.labels)[:, None] == torch.tensor(values)

    def read(seeds: tuple[int, ...], _images: Tensor) -> Tensor:
        return torch.stack([masks.label(seed, size) for seed in seeds])

    return Concepts(str(masks.folder), tuple(masks.names.values()), members, read, None)
