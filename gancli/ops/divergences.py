"""The f-divergences of f-GAN as adversarial losses: Nowozin et al. 2016, tables 1 and 2.

D maximises E g(V(real)) - E f*(g(V(fake))), a lower bound of the divergence, where V is its raw output, g keeps it in
the domain of the conjugate f*, and the two are composed here, so that no exponential is undone by a logarithm.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.ops.losses import Adversarial

Function = Callable[[Tensor], Tensor]


def _adversarial(activation: Function, conjugate: Function) -> Adversarial:
    """Take g, and f* of g; G maximises E g(V(fake)), which is steep where D is sure (section 3.2)."""

    def d(real: Tensor, fake: Tensor) -> Tensor:
        return conjugate(fake.float()).mean() - activation(real.float()).mean()

    def g(fake: Tensor) -> Tensor:
        return -activation(fake.float()).mean()

    return Adversarial(d, g)


def _minus_exp(v: Tensor) -> Tensor:
    return -torch.exp(-v)


BY_NAME = {
    "kl": _adversarial(lambda v: v, lambda v: torch.exp(v - 1)),
    "reverse-kl": _adversarial(_minus_exp, lambda v: v - 1),
    "pearson": _adversarial(lambda v: v, lambda v: v.square() / 4 + v),
    "squared-hellinger": _adversarial(lambda v: 1 + _minus_exp(v), lambda v: torch.expm1(v)),
    "jensen-shannon": _adversarial(lambda v: math.log(2) - F.softplus(-v), lambda v: F.softplus(v) - math.log(2)),
    "gan": _adversarial(lambda v: -F.softplus(-v), F.softplus),
}
