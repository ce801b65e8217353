"""Files of feature mean and covariance that other tools also use: `mu` and `sigma`, in npz or safetensors.

The .pkl files of StyleGAN's code, which contain sums, can be read too; no code in them is executed.
"""

import json
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gancli.errors import UserError
from gancli.metrics.features import Features, Moments
from gancli.system import atomic
from gancli.system.untrusted import torch_files
from gancli.system.untrusted.door import check_regular, held_to, parse_nulled, reading, why
from gancli.system.untrusted.pickles import named

WRITTEN = (".npz", ".safetensors")
READ = (*WRITTEN, ".pkl")
KEY = "protocol"


def write(path: Path, features: Features, protocol: dict[str, Any]) -> None:
    """Write the statistics and their protocol; raise UserError for another file extension."""
    _check(path, WRITTEN)
    moments, said = features.moments, json.dumps(protocol)
    with atomic.replacing(path) as temporary:
        if path.suffix == ".npz":
            np.savez(temporary, mu=moments.mean.numpy(), sigma=moments.covariance.numpy(), protocol=np.array(said))
        else:
            tensors = {"mu": moments.mean.contiguous(), "sigma": moments.covariance.contiguous()}
            save_file(tensors, temporary, metadata={KEY: said})


def read(path: Path) -> tuple[Features, dict[str, Any] | None]:
    """Read the statistics and their protocol, if the file has one; raise UserError for an invalid file."""
    _check(path, READ)
    check_regular(path)
    try:
        with (
            reading(str(path)),
            np.errstate(all="ignore"),
        ):  # non-finite values are reported below
            mu, sigma, said = READERS[path.suffix](path)
            mean, covariance = torch.from_numpy(mu).double(), torch.from_numpy(sigma).double()
            protocol = _protocol(said) if said else None
    except UserError as error:
        raise UserError(f"--stats {path} does not contain mu and sigma: {why(error)}") from None
    if mean.dim() != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(
            f"--stats {path}: the shapes of mu {list(mean.shape)} and sigma {list(covariance.shape)} differ"
        )
    if not mean.isfinite().all() or not covariance.isfinite().all():
        raise UserError(f"--stats {path} contains values that are not finite")
    return Features(Moments(2, mean, covariance)), protocol  # with a count of 2 the scatter is the covariance


class _Real(TypedDict, total=False):
    images: int
    data: str
    split: str | None


class _Protocol(TypedDict, total=False):
    """The entries of gancli's own files that are read; files of other tools may use them differently."""

    extractor: str | None
    weights: str | None
    precision: str | None
    real: _Real


def _protocol(said: str) -> dict[str, Any]:
    protocol = parse_nulled(said, dict[str, Any])
    held_to(protocol, _Protocol)
    return protocol


def _check(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:
        raise UserError(f"--stats {path}: give a {' or '.join(suffixes)} file")


def _from_npz(path: Path) -> tuple[Any, Any, str]:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:  # numpy leaves damaged files open
        return file["mu"], file["sigma"], str(file[KEY]) if KEY in file else ""


def _from_safetensors(path: Path) -> tuple[Any, Any, str]:
    with safe_open(path, "np") as file:
        return file.get_tensor("mu"), file.get_tensor("sigma"), (file.metadata() or {}).get(KEY, "")


def _from_pickle(path: Path) -> tuple[Any, Any, str]:
    """Read sums of features and of their outer products, as StyleGAN2-ADA's `FeatureStats` saves them."""
    held = torch_files.load(path)
    if not isinstance(held, dict):
        raise TypeError(f"it contains {named(held)}, which is not loaded for safety")
    if "mu" in held:
        return _array(held, "mu"), _array(held, "sigma"), ""
    count, mean, products = held["num_items"], _array(held, "raw_mean"), _array(held, "raw_cov")
    if not isinstance(count, int | float | np.number) or not 0 < count < np.inf:
        raise ValueError("num_items is not a positive number")
    if mean.ndim != 1 or products.shape != (len(mean), len(mean)):
        raise ValueError(f"raw_mean {list(mean.shape)} and raw_cov {list(products.shape)} do not match")
    mean = mean / count
    return mean, products / count - np.outer(mean, mean), ""


def _array(held: dict[Any, Any], name: str) -> Any:
    """Return an array as float64. Only arrays are accepted: nested lists from a hostile file can be endless."""
    if not isinstance(held[name], np.ndarray):
        raise TypeError(f"{name} is {named(held[name])}, not an array")
    return held[name].astype(np.float64)


READERS = {".npz": _from_npz, ".safetensors": _from_safetensors, ".pkl": _from_pickle}
