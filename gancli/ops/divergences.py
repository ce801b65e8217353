"""The f-divergences of f-GAN as adversarial losses: Nowozin et al. 2016, tables 1 and 2.

D maximises E g(V(real)) - E f*(g(V(fake))), a lower bound of the divergence, where V is its raw output, g keeps it in
the domain of the conjugate f*, and the two are composed here, so that no exponential is undone by a logarithm.

The paper bounds no V, but where an exponential is left, float32 overflows at a V of about 89, and the square of the
gradient, which Adam keeps, at half of that. Beyond LARGEST, a density ratio of 1e13, exponentials continue as their
tangents, so that D still loses more the further it goes.
"""

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from gancli.ops.losses import Adversarial

LARGEST = 30.0  # exact up to here

Function = Callable[[Tensor], Tensor]


def _adversarial(activation: Function, conjugate: Function) -> Adversarial:
    """Take g, and f* of g; G maximises E g(V(fake)), which is steep where D is sure (section 3.2)."""

    def d(real: Tensor, fake: Tensor) -> Tensor:
        return conjugate(fake.float()).mean() - activation(real.float()).mean()

    def g(fake: Tensor) -> Tensor:
        return -activation(fake.float()).mean()

    return Adversarial(d, g)


def _exp(v: Tensor) -> Tensor:
    near = v.clamp(max=LARGEST)
    return near.exp() * (1 + (v - near))


def _expm1(v: Tensor) -> Tensor:
    near = v.clamp(max=LARGEST)
    return near.expm1() + near.exp() * (v - near)


def _minus_exp(v: Tensor) -> Tensor:
    return -_exp(-v)


BY_NAME = {
    "kl": _adversarial(lambda v: v, lambda v: _exp(v - 1)),
    "reverse-kl": _adversarial(_minus_exp, lambda v: v - 1),
    "pearson": _adversarial(lambda v: v, lambda v: v.square() / 4 + v),
    "squared-hellinger": _adversarial(lambda v: 1 + _minus_exp(v), _expm1),
    "jensen-shannon": _adversarial(lambda v: math.log(2) - F.softplus(-v), lambda v: F.softplus(v) - math.log(2)),
    "gan": _adversarial(lambda v: -F.softplus(-v), F.softplus),
}
