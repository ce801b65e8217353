"""Convolutions whose weight's gradient is one matrix product, where a CPU does that faster.

oneDNN computes it (AVX2, torch 2.14) at a fraction of the speed of a matrix product when the maps are of few pixels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

FEW = 8  # pixels a side of the coarser map, at most
KERNEL, STRIDE, PADDING = 4, 2, 1


class Halving(nn.Conv2d):
    """A convolution that halves: kernel 4, stride 2, padding 1, no bias."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, KERNEL, STRIDE, PADDING, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, after, H/2, W/2)."""
        if _pays(input, 2 * FEW):
            return halved(input, self.weight)
        return super().forward(input)


class Doubling(nn.ConvTranspose2d):
    """Its transpose, which doubles."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, KERNEL, STRIDE, PADDING, bias=False)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, after, 2H, 2W)."""
        if _pays(input, FEW):
            return doubled(input, self.weight)
        return super().forward(input, output_size)


def _pays(x: Tensor, most: int) -> bool:
    plain = not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    return x.device.type == "cpu" and max(x.shape[2:]) <= most and x.shape[1] >= 64 and plain


# The gradient of the weight is a node of its own, so that a backward that does not ask for it does not compute it.
# That of x is made of operations that can be differentiated again, for penalties.


def halved(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve x (N, C, H, W) with a weight (D, C, 4, 4)."""
    y = _Down.apply(x, weight)
    return _Joined.apply(y, _Weight.apply(weight, x.detach(), y.detach()))  # pyright: ignore[reportReturnType]  apply is untyped


def doubled(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve x (N, D, H, W), transposed, with a weight (D, C, 4, 4)."""
    y = _Up.apply(x, weight)
    return _Joined.apply(y, _Weight.apply(weight, x.detach(), y.detach()))  # pyright: ignore[reportReturnType]


class _Down(Function):
    """A convolution, whose gradient is that of x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return F.conv2d(x, weight, None, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return (doubled(gradients[0], *ctx.saved_tensors) if ctx.needs_input_grad[0] else None), None


class _Up(Function):
    """A transposed convolution, likewise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return F.conv_transpose2d(x, weight, None, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return (halved(gradients[0], *ctx.saved_tensors) if ctx.needs_input_grad[0] else None), None


class _Weight(Function):
    """Zeros of y's shape, which take no memory, and whose gradient is the weight's."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return weight.new_zeros(()).expand(y.shape)

    @staticmethod
    @once_differentiable  # no game asks how a gradient of a weight would change
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,), (grad,) = ctx.saved_tensors, gradients
        fine, coarse = (x, grad) if x.shape[-1] > grad.shape[-1] else (grad, x)
        return _correlation(fine, coarse), None, None


class _Joined(Function):
    """y, which hands its gradient on to both."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, zeros: Tensor) -> Tensor:
        del zeros
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        del ctx
        return gradients * 2


def _correlation(fine: Tensor, coarse: Tensor) -> Tensor:
    """Sum what a finer map (N, C, 2H, 2W) has around each place of a coarser (N, D, H, W): (D, C, 4, 4)."""
    padded = F.pad(fine, [PADDING] * 4).contiguous(memory_format=torch.channels_last)
    patches = padded.unfold(2, KERNEL, STRIDE).unfold(3, KERNEL, STRIDE)  # (N, C, H, W, 4, 4)
    rows = patches.permute(0, 2, 3, 4, 5, 1).reshape(-1, KERNEL * KERNEL * fine.shape[1])
    product = coarse.permute(0, 2, 3, 1).reshape(-1, coarse.shape[1]).T @ rows
    return product.view(coarse.shape[1], KERNEL, KERNEL, fine.shape[1]).permute(0, 3, 1, 2)
