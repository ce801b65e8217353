"""Spectral normalisation: Miyato et al. 2018, arXiv:1802.05957, section 2.1 and Algorithm 1."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from gancli.system.devices import full_precision

FIRST_STEPS = 20  # of the power method, on the initial weights


class SpectralNorm(nn.Module):
    """W / sigma(W), where sigma is followed by one power step for each step of the optimiser (`power_step`).

    torch's own takes a step in every forward, so that two looks at D in one turn see two different networks.
    """

    u: Tensor  # (rows,): the left singular vector, kept from step to step
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows = weight.detach().flatten(1)
        self.register_buffer("u", F.normalize(torch.randn(len(rows)), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(rows.shape[1]), dim=0))
        for _ in range(FIRST_STEPS):
            self.power_step(weight)

    def forward(self, weight: Tensor) -> Tensor:
        """Normalise; the gradient passes through W, not through u and v (eq. 12)."""
        return weight / self.largest(weight)

    def largest(self, weight: Tensor) -> Tensor:
        """Return sigma, u' W v."""
        with full_precision(weight.device):  # in bf16 it would be off by a percent, in every layer
            return self.u @ (weight.flatten(1).float() @ self.v)

    @torch.no_grad()
    def power_step(self, weight: Tensor) -> None:
        """Bring u and v closer to the first singular vectors of the weight, as a matrix of its outputs by the rest."""
        rows = weight.flatten(1).float()
        with full_precision(weight.device):
            self.v.copy_(F.normalize(rows.T @ self.u, dim=0))
            self.u.copy_(F.normalize(rows @ self.v, dim=0))


def normalise(network: nn.Module, without: Iterable[nn.Module] = ()) -> nn.Module:
    """Divide the weights of every linear and convolutional layer by their largest singular value; in place.

    The layers in the modules of `without` stay as they are.
    """
    kept = {layer for part in without for layer in part.modules()}
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer not in kept:
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return network


def power_step(network: nn.Module) -> None:
    """Follow the weights after a step of their optimiser."""
    for norm, weight in _normalised(network).values():
        norm.power_step(weight)


@torch.no_grad()
def largest(network: nn.Module) -> dict[str, Tensor]:
    """Return the largest singular value of the weights of each normalised layer, as it is followed, by its name."""
    return {name: norm.largest(weight) for name, (norm, weight) in _normalised(network).items()}


def _normalised(network: nn.Module) -> dict[str, tuple[SpectralNorm, Tensor]]:
    """Return the norm and the weight of each normalised layer by its name."""
    return {
        name.removesuffix(".parametrizations.weight"): (norm, part.original)
        for name, part in network.named_modules()
        if isinstance(part, parametrize.ParametrizationList) and isinstance(norm := part[0], SpectralNorm)
    }
