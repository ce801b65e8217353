"""A grouped 3x3 convolution whose gradients differentiate again without a loop over the groups.

torch's own second derivative of a grouped convolution computes the weight's part group by group (torch 2.14,
`_convolution_double_backward`), which would take most of the time of a gradient penalty.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gancli.nets.layers.convolution import Joined

_backward = torch.ops.aten.convolution_backward


class Grouped(nn.Conv2d):
    """nn.Conv2d of 3x3 kernels that keeps channels and sides."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels, channels, 3, padding=1, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W), unchanged in shape."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        if not learns or torch.compiler.is_compiling():
            return super().forward(input)
        y = convolved(input, self.weight, self.groups)
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]


def convolved(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Convolve x (N, C, H, W) with a weight (C, C / groups, 3, 3)."""
    x, weight = _as_autocast(x), _as_autocast(weight)
    y = _Down.apply(x, weight, groups)
    return Joined.apply(y, _Weight.apply(weight, x.detach(), groups, True))  # pyright: ignore[reportReturnType]  apply is untyped


def transposed(y: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Return the gradient with respect to x of a convolution whose output's gradient is y, (N, C, H, W)."""
    x = _Up.apply(y, weight, groups)
    return Joined.apply(x, _Weight.apply(weight, y.detach(), groups, False))  # pyright: ignore[reportReturnType]


def _as_autocast(x: Tensor) -> Tensor:
    """Cast as autocast casts the operands of a convolution: it does not reach into the backward of ours."""
    kind = x.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return x
    return x.to(torch.get_autocast_dtype(kind))


class _Down(Function):
    """A convolution, whose gradient is that of x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, groups: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.groups = groups
        return F.conv2d(x, weight, None, 1, 1, 1, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        wanted = ctx.needs_input_grad[0]
        (weight,) = ctx.saved_tensors
        return transposed(gradients[0], weight, ctx.groups) if wanted else None, None, None


class _Up(Function):
    """A transposed convolution, likewise."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, groups: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.groups = groups
        return _derivative(y, y, weight, groups, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        wanted = ctx.needs_input_grad[0]
        (weight,) = ctx.saved_tensors
        return convolved(gradients[0], weight, ctx.groups) if wanted else None, None, None


class _Weight(Function):
    """Zeros of the map's shape, which take no memory, and whose gradient is the weight's; `down`: x is the input."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, groups: int, down: bool) -> Tensor:
        ctx.save_for_backward(weight, x)
        ctx.groups, ctx.down = groups, down
        return weight.new_zeros(()).expand(x.shape)

    @staticmethod
    @once_differentiable  # no game asks how a gradient of a weight would change
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (weight, known), (gradient,) = ctx.saved_tensors, gradients
        x, y = (known, gradient) if ctx.down else (gradient, known)
        return _derivative(y, x, weight, ctx.groups, 1), None, None, None


def _derivative(y: Tensor, x: Tensor, weight: Tensor, groups: int, of: int) -> Tensor:
    """Differentiate a convolution whose output's gradient is y: with respect to x (0) or its weight (1)."""
    asked = [of == 0, of == 1, False]
    return _backward(y, x, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), groups, asked)[of]
