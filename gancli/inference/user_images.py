"""The user's own images to what a model eats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gancli.data.sources import archives, folders
from gancli.data.sources.decode import Item
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.images.pixels import to_floats
from gancli.images.reading import open_picture, to_array
from gancli.system.untrusted.door import reading


def read_image(item: Item, spec: DataSpec) -> Tensor:
    """Read an image of any mode and size as those that a model was trained on: (C, H, W) in [-1, 1].

    Raises UserError for one that cannot be read.
    """
    with reading(item.name), item.open() as picture:
        pixels = to_array(picture, (spec.height, spec.width), spec.channels)
        return to_floats(torch.from_numpy(np.array(pixels)))


def read(paths: Sequence[Path], spec: DataSpec) -> Tensor:
    """Read the images of --images: (N, C, H, W) in [-1, 1]; raises UserError for one that is not there, or no image."""
    return torch.stack([read_image(_item(path.expanduser()), spec) for path in paths])


def _item(path: Path) -> Item:
    if not path.is_file():  # nor a pipe, which could block for ever
        raise UserError(f"--images {path}: there is no such file")
    return Item(f"--images {path}", -1, lambda: open_picture(path))


def pictures_in(path: Path) -> list[Item]:
    """List the pictures that a path names: itself, or those in a folder or archive; raises UserError for none."""
    if path.is_dir() or archives.is_archive(path):
        items, *_ = (folders.in_folder if path.is_dir() else archives.in_archive)(path)
        return [item._replace(name=str(path / item.name)) for item in items]
    if not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    return [Item(str(path), -1, lambda: open_picture(path))]
