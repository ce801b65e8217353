"""Mean and covariance in files, as other tools write and read them: `mu` and `sigma`, in npz or safetensors.

The sums that StyleGAN's code keeps in a .pkl are read too, by an unpickler that knows arrays and nothing else.
"""

import json
import pickle
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
from gancli.untrusted import check_regular

WRITTEN = (".npz", ".safetensors")
READ = (*WRITTEN, ".pkl")
KEY = "protocol"
BROKEN = (zipfile.BadZipFile, SafetensorError, pickle.UnpicklingError, AttributeError, IndexError)


def write(path: Path, features: Features, protocol: dict[str, Any]) -> None:
    """Write them, with how they came about; raises UserError for another ending."""
    _check(path, WRITTEN)
    moments, said = features.moments, json.dumps(protocol)
    with atomic.replacing(path) as temporary:
        if path.suffix == ".npz":
            np.savez(temporary, mu=moments.mean.numpy(), sigma=moments.covariance.numpy(), protocol=np.array(said))
        else:
            tensors = {"mu": moments.mean.contiguous(), "sigma": moments.covariance.contiguous()}
            save_file(tensors, temporary, metadata={KEY: said})


def read(path: Path) -> tuple[Features, dict[str, Any] | None]:
    """Read them and what is said of them, if anything; raises UserError for anything else."""
    _check(path, READ)
    check_regular(path)
    try:
        mu, sigma, said = READERS[path.suffix](path)
        mean, covariance = torch.from_numpy(mu).double(), torch.from_numpy(sigma).double()
        protocol = json.loads(said) if said else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, *BROKEN) as error:
        raise UserError(f"--stats {path} holds no mu and sigma: {' '.join(str(error).split())}") from None
    if mean.dim() != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(f"--stats {path}: mu {list(mean.shape)} and sigma {list(covariance.shape)} do not belong")
    return Features(Moments(2, mean, covariance)), protocol  # with a count of 2 the scatter is the covariance


def _check(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:
        raise UserError(f"--stats {path}: give a {' or '.join(suffixes)} file")


def _from_npz(path: Path) -> tuple[Any, Any, str]:
    with np.load(path, allow_pickle=False) as file:
        return file["mu"], file["sigma"], str(file[KEY]) if KEY in file else ""


def _from_safetensors(path: Path) -> tuple[Any, Any, str]:
    with safe_open(path, "np") as file:
        return file.get_tensor("mu"), file.get_tensor("sigma"), (file.metadata() or {}).get(KEY, "")


class _Arrays(pickle.Unpickler):
    """Builds NumPy's arrays out of their bytes; whatever else a pickle names is refused and never run."""

    KNOWN = frozenset({"_reconstruct", "scalar", "ndarray", "dtype", "encode"})
    HOMES = frozenset({"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_codecs"})

    def find_class(self, module: str, name: str) -> Any:
        """Look up one of the few names; raises UnpicklingError for all others."""
        if module not in self.HOMES or name not in self.KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not run")
        return super().find_class(module, name)


def _from_pickle(path: Path) -> tuple[Any, Any, str]:
    """Read sums of features and of their outer products, as StyleGAN2-ADA's `FeatureStats` saves them."""
    with path.open("rb") as file:
        sums = _Arrays(file).load()
    mean = np.asarray(sums["raw_mean"], np.float64) / sums["num_items"]
    return mean, np.asarray(sums["raw_cov"], np.float64) / sums["num_items"] - np.outer(mean, mean), ""


READERS = {".npz": _from_npz, ".safetensors": _from_safetensors, ".pkl": _from_pickle}
