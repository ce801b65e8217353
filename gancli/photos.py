"""The user's own pictures to what a model eats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gancli.data.pictures import UNREADABLE, open_picture, to_array
from gancli.data.spec import DataSpec
from gancli.errors import UserError


def read(paths: Sequence[Path], spec: DataSpec) -> Tensor:
    """Read pictures of any mode and size as the images that a model was trained on: (N, C, H, W) in [-1, 1].

    Raises UserError for one that cannot be read.
    """
    arrays = np.stack([_read(path.expanduser(), spec) for path in paths])
    return torch.from_numpy(arrays).float().div_(127.5).sub_(1)


def _read(path: Path, spec: DataSpec) -> np.ndarray:
    try:
        with open_picture(path) as picture:
            return to_array(picture, (spec.height, spec.width), spec.channels)
    except FileNotFoundError:
        raise UserError(f"--images {path}: there is no such file") from None
    except UNREADABLE as error:
        raise UserError(f"--images {path} cannot be read: {error}") from None
