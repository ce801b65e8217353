"""Convert the user's own images into a model's input."""

from collections.abc import Iterator
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
from gancli.system.untrusted.names import expanded


def read_image(item: Item, spec: DataSpec) -> Tensor:
    """Read an image of any mode and size in the format of a model's training images: (C, H, W) in [-1, 1].

    Raise UserError if it cannot be read.
    """
    with reading(item.name), item.open() as picture:
        pixels = to_array(picture, (spec.height, spec.width), spec.channels)
        return to_floats(torch.from_numpy(np.array(pixels)))


def images_at(path: Path, spec: DataSpec, option: str) -> Iterator[tuple[Path, Tensor]]:
    """Yield the path of each image of an option's file, folder or archive, and the image (C, H, W) in [-1, 1].

    Raise UserError, which names the option, if one cannot be read or there are none.
    """
    try:
        items = pictures_in(expanded(path))
    except UserError as error:
        raise UserError(f"{option} {error}") from None
    for item in items:
        yield Path(item.name), read_image(item._replace(name=f"{option} {item.name}"), spec)


def pictures_in(path: Path) -> list[Item]:
    """List the images at a path: a file, or those in a folder or archive; raise UserError if there are none."""
    if path.is_dir() or archives.is_archive(path):
        items, *_ = (folders.in_folder if path.is_dir() else archives.in_archive)(path)
        return [item._replace(name=str(path / item.name)) for item in items]
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    return [Item(str(path), -1, lambda: open_picture(path))]
