"""Gradient penalties. Each differentiates D once more, in float32 whatever the autocast around it."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from gancli.system import dist
from gancli.system.devices import full_precision

Critic = Callable[[Tensor], Tensor]  # images (N, C, H, W) -> logits (N,)


def input_gradient(critic: Critic, x: Tensor) -> Tensor:
    """Differentiate the logits with respect to their images `x` (N, C, H, W); differentiable once more."""
    x = x.detach().float()
    with full_precision(x.device):
        if torch.compiler.is_compiling():  # a compiled function may not differentiate what autograd has recorded
            return torch.func.grad(lambda at: critic(at).float().sum())(x)
        x.requires_grad_(True)
        return torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]


def zero_centred(critic: Critic, x: Tensor) -> Tensor:
    """|dD/dx|^2 / 2 at images x: R1 at reals, R2 at fakes (Mescheder et al. 2018, arXiv:1801.04406, eq. 9 and 10)."""
    return input_gradient(critic, x).flatten(1).square().sum(1).mean() / 2


def interpolated(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """(|dD/dx| - 1)^2 at points between reals and fakes, one number a pair: Gulrajani et al. 2017, eq. 3."""
    mix = dist.rows(lambda n: torch.rand(n, 1, 1, 1, device=real.device), len(real))
    at = torch.lerp(real.float(), fake.detach().float(), mix)
    norm = input_gradient(critic, at).flatten(1).norm(dim=1)
    return (norm - 1).square().mean()


def around(critic: Critic, real: Tensor, slope: float) -> Tensor:
    """(|dD/dx| - slope)^2 at noisy reals: Kodali et al. 2017, Algorithm 1.

    The noise is the authors' code's: from none to U[0, 1] times half the deviation of the data, one way for each image.
    """
    spread = dist.deviation(real.float())
    noise = dist.rows(lambda n: torch.rand(n, *real.shape[1:], device=real.device), len(real))
    far = dist.rows(lambda n: torch.rand(n, 1, 1, 1, device=real.device), len(real))
    norm = input_gradient(critic, real.float() + far * noise * spread / 2).flatten(1).norm(dim=1)
    return (norm - slope).square().mean()


def orthogonality(weights: Iterable[Tensor]) -> Tensor:
    """|W W' * (1 - I)|^2, summed over weights as matrices of their outputs by the rest: Brock et al. 2019, eq. 3.

    Filters must be orthogonal to each other; their lengths are free.
    """
    return torch.stack([_between(weight.flatten(1).float()) for weight in weights]).sum()


def _between(rows: Tensor) -> Tensor:
    with full_precision(rows.device):
        products = rows @ rows.T
    return products.square().sum() - products.diagonal().square().sum()
