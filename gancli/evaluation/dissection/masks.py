"""Masks that the user gives: one label map per seed, named like the files of `gancli sample --out DIR`."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gancli.errors import UserError
from gancli.images.reading import open_picture
from gancli.system.untrusted.door import check_regular, printable, read_bytes, reading

NAMES = "names.txt"
LABELS = 256  # values of a grey image or a palette
MOST_BYTES = 2**16  # of names
LONGEST_NAME = 40
INDEXED = ("1", "L", "P")  # modes of images that hold one value per pixel


@dataclass(frozen=True)
class Masks:
    """A folder of label maps."""

    folder: Path
    files: dict[int, Path]  # by seed
    names: dict[int, str]  # of the labels that are concepts
    labels: int = LABELS

    def label(self, seed: int, size: tuple[int, int]) -> Tensor:
        """Read the labels (H, W) of a seed; raise UserError if the file is not a label map of (height, width)."""
        path = self.files[seed]
        check_regular(path)
        with reading(str(path)), open_picture(path) as picture:
            if (picture.height, picture.width) != size:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels, but the images {size[1]}x{size[0]}")
            return torch.from_numpy(_values(picture).astype(np.int64))


def _values(picture: Image.Image) -> np.ndarray:
    if picture.mode in INDEXED:
        return np.asarray(picture)
    channels = np.asarray(picture.convert("RGB"))
    if picture.mode != "RGB" or (channels != channels[..., :1]).any():
        raise ValueError("it is not a grey or palette image of 8 bits, whose values are the concepts")
    return channels[..., 0]


def open_masks(folder: Path) -> Masks:
    """Find the masks in a folder, and the names of their concepts; raise UserError if there are no masks."""
    if not folder.is_dir():
        raise UserError(f"--masks {folder}: no such folder")
    found = {
        int(name[1]): path for path in folder.iterdir() if (name := re.fullmatch(r"seed(\d{5,9})\.png", path.name))
    }
    if not found:
        raise UserError(f"--masks {folder} has no masks: name them after seeds, as `gancli sample` does: seed00000.png")
    return Masks(folder, dict(sorted(found.items())), _names(folder / NAMES))


def _names(path: Path) -> dict[int, str]:
    """Read the names of values from 0, one per line; without a file, the values but 0 are their own names."""
    if not path.exists():
        return {value: str(value) for value in range(1, LABELS)}
    check_regular(path)
    with reading(str(path)):
        lines = read_bytes(path, MOST_BYTES).decode().splitlines()
        if len(lines) > LABELS:
            raise ValueError(f"it has {len(lines)} lines; values are 0 to {LABELS - 1}")
        names = {value: printable(line.strip(), LONGEST_NAME) for value, line in enumerate(lines) if line.strip()}
        if not names or len(set(names.values())) < len(names):
            raise ValueError("give each concept a name of its own, one per line")
        return names
