"""Mean and covariance in files, as other tools write and read them: `mu` and `sigma`, in npz or safetensors."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gancli import atomic
from gancli.errors import UserError
from gancli.metrics.features import Features, Moments

SUFFIXES = (".npz", ".safetensors")
KEY = "protocol"


def write(path: Path, features: Features, protocol: dict[str, Any]) -> None:
    """Write them, with how they came about; raises UserError for another ending."""
    _check(path)
    moments, said = features.moments, json.dumps(protocol)
    with atomic.replacing(path) as temporary:
        if path.suffix == ".npz":
            np.savez(temporary, mu=moments.mean.numpy(), sigma=moments.covariance.numpy(), protocol=np.array(said))
        else:
            tensors = {"mu": moments.mean.contiguous(), "sigma": moments.covariance.contiguous()}
            save_file(tensors, temporary, metadata={KEY: said})


def read(path: Path) -> tuple[Features, dict[str, Any] | None]:
    """Read them and what is said of them, if anything; raises UserError for anything else."""
    _check(path)
    try:
        mu, sigma, said = _from_npz(path) if path.suffix == ".npz" else _from_safetensors(path)
        mean, covariance = torch.from_numpy(mu).double(), torch.from_numpy(sigma).double()
        protocol = json.loads(said) if said else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, SafetensorError) as error:
        raise UserError(f"--stats {path} holds no mu and sigma: {' '.join(str(error).split())}") from None
    if mean.dim() != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(f"--stats {path}: mu {list(mean.shape)} and sigma {list(covariance.shape)} do not belong")
    return Features(Moments(2, mean, covariance)), protocol  # with a count of 2 the scatter is the covariance


def _check(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise UserError(f"--stats {path}: give a {' or '.join(SUFFIXES)} file")


def _from_npz(path: Path) -> tuple[Any, Any, str]:
    with np.load(path, allow_pickle=False) as file:
        return file["mu"], file["sigma"], str(file[KEY]) if KEY in file else ""


def _from_safetensors(path: Path) -> tuple[Any, Any, str]:
    with safe_open(path, "np") as file:
        return file.get_tensor("mu"), file.get_tensor("sigma"), (file.metadata() or {}).get(KEY, "")
