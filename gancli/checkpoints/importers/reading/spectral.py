"""Weights under spectral norm, divided once by the singular value that their authors' code finds when it samples."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.checkpoints.importers.layout import State


def folded(tensors: State) -> State:
    """Fold torch's spectral norm, whose stored vectors give the largest singular value as u^T W v."""
    found: State = {}
    for name, tensor in tensors.items():
        if name.endswith("_orig"):
            weight = name.removesuffix("_orig")
            sigma = tensors[f"{weight}_u"] @ (tensor.flatten(1) @ tensors[f"{weight}_v"])
            found[weight] = _divided(tensor, sigma, weight)
        elif not name.endswith((".weight_u", ".weight_v")):
            found[name] = tensor
    return found


def stepped(tensors: State) -> State:
    """Fold ajbrock's, which takes one power step from the stored vector and forgets it."""
    found: State = {}
    for name, tensor in tensors.items():
        u = tensors.get(f"{name.removesuffix('weight')}u0")
        if name.endswith(".weight") and u is not None:
            rows = tensor.flatten(1)
            sigma = torch.linalg.vector_norm(rows @ F.normalize((u.view(1, -1) @ rows)[0], dim=0))
            found[name] = _divided(tensor, sigma, name)
        elif not name.rpartition(".")[2].startswith(("u0", "sv0")):
            found[name] = tensor
    return found


def _divided(weight: Tensor, sigma: Tensor, name: str) -> Tensor:
    if not math.isfinite(sigma) or not sigma:
        raise ValueError(f"a usable spectral norm of {name}")
    return weight / sigma
