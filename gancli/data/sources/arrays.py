"""Images in arrays: MNIST's idx files, and npz."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gancli.data.sources.decode import Item
from gancli.data.sources.listing import Items, Modest
from gancli.errors import UserError
from gancli.system.untrusted.door import check_regular, printable, reading

LARGEST = 64 * 2**30  # largest number of bytes that an array may declare
MOST_AXES = 4
MOST_LISTED = 2**20  # bytes that the names of an npz may take
HONEST, RATIO = 2**30, 200  # arrays above HONEST bytes may not exceed RATIO times their file's size: that is a bomb


def idx_files(folder: Path, split: str) -> tuple[Path, Path | None] | None:
    """Find the idx files of a split in a folder: images, and labels if any; None if the folder holds no idx files."""
    prefix = {"train": "train", "test": "t10k"}.get(split, split)
    images = sorted(p for p in folder.glob("*images*idx3*") if p.name.startswith(prefix))
    labels = sorted(p for p in folder.glob("*labels*idx1*") if p.name.startswith(prefix))
    if images:
        return images[0], labels[0] if labels else None
    if others := sorted(p.name for p in folder.glob("*images*idx3*")):
        raise UserError(f"{folder} has no split '{split}', only {', '.join(others)}: give --split train or test")
    return None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an idx file of bytes, gzipped or not (the format of LeCun's MNIST page).

    Raise UserError for anything else, including a truncated file.
    """
    check_regular(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != b"\0\0\x08":
                raise UserError(f"{path} is not an idx file of bytes")
            if not 1 <= magic[3] <= MOST_AXES:
                raise UserError(f"{path} declares {magic[3]} axes: images have 3 or 4, and labels have 1")
            shape = [int.from_bytes(file.read(4), "big") for _ in range(magic[3])]
            size = math.prod(shape)
            _check_honest(path, size)
            data = file.read(min(size, LARGEST) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if len(data) != size:
        raise UserError(f"{path} is damaged: it declares {size:,} bytes and holds {len(data):,}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_npz(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Read images (N, H, W[, C]) or (N, C, H, W), uint8, and labels (N,) from an npz; no pickle is loaded."""
    check_regular(path)
    with (
        reading(f"{path}, which should be an npz of plain arrays,"),
        Modest(path, MOST_LISTED) as opened,
        np.load(opened, allow_pickle=False) as file,
    ):
        opened.most = None
        _check_honest(path, sum(member.file_size for member in file.zip.infolist()))
        arrays = {name: np.asarray(file[name]) for name in file.files}
    pictures = [a for a in arrays.values() if a.dtype == np.uint8 and a.ndim in (3, 4) and a.size]
    if not pictures:
        kinds = printable(", ".join(f"{name} {a.dtype}{list(a.shape)}" for name, a in arrays.items()))
        raise UserError(f"{path} has no uint8 array of images (N, H, W, C), only {kinds or 'empty arrays'}")
    images = max(pictures, key=lambda a: a.size)
    if images.ndim == 4 and images.shape[-1] not in (1, 3, 4) and images.shape[1] in (1, 3, 4):
        images = images.transpose(0, 2, 3, 1)
    labels = [a for a in arrays.values() if a.shape == (len(images),) and np.issubdtype(a.dtype, np.integer)]
    return images, labels[0].astype(np.int64) if labels else None


def _check_honest(path: Path, size: int) -> None:
    if size > max(HONEST, RATIO * path.stat().st_size):
        raise UserError(f"{path} declares {size:,} bytes of arrays: too many for a file of {path.stat().st_size:,}")


class Rows(Items):
    """The rows of an array (N, H, W[, C]), with their labels."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray | None) -> None:
        self._images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
        self._labels = labels

    def __len__(self) -> int:
        return len(self._images)

    def item(self, index: int) -> Item:
        """Return the item of a row."""
        label = -1 if self._labels is None else int(self._labels[index])
        return Item(f"#{index}", label, lambda: Image.fromarray(self._images[index]))
