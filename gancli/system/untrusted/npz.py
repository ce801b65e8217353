"""Read the arrays of an .npz without running what it may hold: numbers only, and not many more than the file has."""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gancli.system.untrusted.bounds import Bounds, opened

MOST_DIRECTORY = 2**22  # bytes of a zip's list of members
CHUNK = 2**18
ENDING = ".npy"


def load(path: Path) -> dict[str, Tensor]:
    """Read all arrays by name, as float32; raise UserError, naming the file, if it is damaged or holds other things."""
    with opened(path) as file:
        file.most = MOST_DIRECTORY
        bounds = Bounds.of(file.length)
        try:
            with zipfile.ZipFile(file) as archive:
                return {
                    member.filename.removesuffix(ENDING): _array(archive, member, bounds)
                    for member in archive.infolist()
                }
        except zipfile.BadZipFile as error:
            raise ValueError(f"it is no .npz: {error}") from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, bounds: Bounds) -> Tensor:
    bounds.step()
    bounds.take(member.file_size)
    with archive.open(member) as content:
        raw = io.BytesIO(b"".join(iter(lambda: content.read(CHUNK), b"")))
    version = np.lib.format.read_magic(raw)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(raw)
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise ValueError(f"it holds an array of {dtype}; only numbers are read")
    flat = np.frombuffer(raw.read(), dtype)
    bounds.take(4 * flat.size)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which importers refuse
        numbers = flat.astype(np.float32)
    return torch.from_numpy(numbers.reshape(shape, order="F" if fortran else "C"))
