"""Convolutions whose weight's gradient is a matrix product, where a CPU does that faster.

oneDNN computes it (AVX2, torch 2.14, channels_last) at 30 to 60 GFLOP/s where a matrix product reaches 80.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

MANY = 64  # channels; with fewer there is nothing to gain
AT_ONCE = 4 << 20  # bytes of patches: what a cache holds


class Convolution(nn.Conv2d):
    """nn.Conv2d of square kernels, strides and paddings."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D, h, w)."""
        if self.bias is not None or not _pays(input, self.weight):
            return super().forward(input)
        stride, padding = self.stride[0], int(self.padding[0])
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, [padding] * 4, self.padding_mode), 0
        return convolved(input, self.weight, stride, padding)


class Transposed(nn.ConvTranspose2d):
    """nn.ConvTranspose2d, likewise."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, D, h, w) -> (N, C, H, W)."""
        if self.bias is not None or not _pays(input, self.weight):
            return super().forward(input, output_size)
        return transposed(input, self.weight, self.stride[0], int(self.padding[0]), self.output_padding)


def _pays(x: Tensor, weight: Tensor) -> bool:
    plain = not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    learns = torch.is_grad_enabled() and weight.requires_grad
    return x.device.type == "cpu" and plain and learns and min(weight.shape[:2]) >= MANY


# The gradient of the weight is a node of its own, so that a backward that does not ask for it does not compute it.
# That of x is made of operations that can be differentiated again, for penalties.


def convolved(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Convolve x (N, C, H, W) with a weight (D, C, K, K)."""
    y = _Down.apply(x, weight, stride, padding)
    return _Joined.apply(y, _Weight.apply(weight, x.detach(), y.detach(), True, stride, padding))  # pyright: ignore[reportReturnType]  apply is untyped


def transposed(x: Tensor, weight: Tensor, stride: int, padding: int, extra: tuple[int, ...]) -> Tensor:
    """Convolve x (N, D, h, w), transposed, with a weight (D, C, K, K), to `extra` rows and columns more."""
    y = _Up.apply(x, weight, stride, padding, extra)
    return _Joined.apply(y, _Weight.apply(weight, x.detach(), y.detach(), False, stride, padding))  # pyright: ignore[reportReturnType]


class _Down(Function):
    """A convolution, whose gradient is that of x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        extra = tuple((side + 2 * padding - weight.shape[-1]) % stride for side in x.shape[2:])
        ctx.how = stride, padding, extra
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        wanted = ctx.needs_input_grad[0]
        return transposed(gradients[0], *ctx.saved_tensors, *ctx.how) if wanted else None, None, None, None


class _Up(Function):
    """A transposed convolution, likewise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, extra: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.how = stride, padding
        return F.conv_transpose2d(x, weight, None, stride, padding, extra)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        wanted = ctx.needs_input_grad[0]
        return convolved(gradients[0], *ctx.saved_tensors, *ctx.how) if wanted else None, None, None, None, None


class _Weight(Function):
    """Zeros of y's shape, which take no memory, and whose gradient is the weight's; `down`: x is the finer map."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, y: Tensor, down: bool, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.down, ctx.how = down, (weight.shape[-1], stride, padding)
        return weight.new_zeros(()).expand(y.shape)

    @staticmethod
    @once_differentiable  # no game asks how a gradient of a weight would change
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,), (grad,) = ctx.saved_tensors, gradients
        fine, coarse = (x, grad) if ctx.down else (grad, x)
        return _correlation(fine, coarse, *ctx.how), None, None, None, None, None


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


def _correlation(fine: Tensor, coarse: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Sum what a finer map (N, C, H, W) has around each place of a coarser (N, D, h, w): (D, C, K, K)."""
    (_, c, *_), (n, d, h, w) = fine.shape, coarse.shape
    size = kernel * kernel * c
    images = max(1, min(n, AT_ONCE // (h * w * size * fine.element_size())))
    total = fine.new_zeros(d, size)
    for some, their in zip(fine.split(images), coarse.split(images)):
        padded = F.pad(some, [padding] * 4).contiguous(memory_format=torch.channels_last)
        patches = padded.unfold(2, kernel, stride)[:, :, :h].unfold(3, kernel, stride)[:, :, :, :w]
        rows = patches.permute(0, 2, 3, 4, 5, 1).reshape(-1, size)  # (N, h, w, K, K, C)
        total.addmm_(their.permute(0, 2, 3, 1).reshape(-1, d).T, rows)
    return total.view(d, kernel, kernel, c).permute(0, 3, 1, 2)
