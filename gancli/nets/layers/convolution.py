"""Convolutions that train faster on a CPU: by minimal filtering, and as matrix products.

oneDNN computes weights' gradients (AVX2, torch 2.14, channels_last) at 30 to 60 GFLOP/s where a matrix product reaches
80, and a filter as large as its input much slower than the product that it is. What is not trained is left to torch,
which gives an image the same bits alone and among others.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gancli.nets.layers.winograd import Minimal

MANY = 64  # channels from which on weights' gradients gain; the convolutions do from twice as many on
AT_ONCE = 2 << 20  # bytes of patches: what a cache holds


class Convolution(nn.Conv2d):
    """nn.Conv2d of square kernels, strides and paddings."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D, h, w)."""
        stride, padding = self.stride[0], int(self.padding[0])
        if not learns(input, self.weight):
            return super().forward(input)
        if not padding and input.shape[2:] == self.weight.shape[2:]:
            return F.linear(_flat(input), _flat(self.weight), self.bias)[:, :, None, None]
        if min(self.weight.shape[:2]) < MANY or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, [padding] * 4, self.padding_mode), 0
        y = convolved(input, self.weight, stride, padding)
        return y if self.bias is None else y + self.bias[:, None, None]


class Transposed(nn.ConvTranspose2d):
    """nn.ConvTranspose2d, likewise."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, D, h, w) -> (N, C, H, W)."""
        if not learns(input, self.weight):
            return super().forward(input, output_size)
        padding = int(self.padding[0])
        if not padding and not any(self.output_padding) and input.shape[2:] == (1, 1):
            _, c, *sides = self.weight.shape
            y = (input.flatten(1) @ _flat(self.weight)).view(-1, *sides, c).permute(0, 3, 1, 2)
            return y if self.bias is None else y + self.bias[:, None, None]
        few = min(self.weight.shape[:2]) < MANY
        if few or self.bias is not None or torch.is_autocast_enabled("cpu"):
            return super().forward(input, output_size)
        return transposed(input, self.weight, self.stride[0], padding, self.output_padding)


def learns(x: Tensor, weight: Tensor) -> bool:
    """Return whether a layer is trained on a CPU, uncompiled."""
    ours = x.device.type == "cpu" and not torch.compiler.is_compiling()
    return ours and torch.is_grad_enabled() and weight.requires_grad


def _flat(x: Tensor) -> Tensor:
    """(N, C, H, W) as rows, in the order of channels last."""
    return x.permute(0, 2, 3, 1).flatten(1)


# The gradient of the weight is a node of its own, so that a backward that does not ask for it does not compute it.
# That of x is made of operations that can be differentiated again, for penalties.


def convolved(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Convolve x (N, C, H, W) with a weight (D, C, K, K)."""
    y = _Down.apply(x, weight, stride, padding)
    return Joined.apply(y, _Weight.apply(weight, x.detach(), y.detach(), True, stride, padding))  # pyright: ignore[reportReturnType]  apply is untyped


def transposed(x: Tensor, weight: Tensor, stride: int, padding: int, extra: tuple[int, ...]) -> Tensor:
    """Convolve x (N, D, h, w), transposed, with a weight (D, C, K, K), to `extra` rows and columns more."""
    y = _Up.apply(x, weight, stride, padding, extra)
    return Joined.apply(y, _Weight.apply(weight, x.detach(), y.detach(), False, stride, padding))  # pyright: ignore[reportReturnType]


class _Down(Function):
    """A convolution, whose gradient is that of x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        extra = tuple((side + 2 * padding - weight.shape[-1]) % stride for side in x.shape[2:])
        ctx.how = stride, padding, extra
        quick = _minimal(x.shape, len(weight), weight.shape[-1], stride, padding)
        return quick.convolved(x, weight) if quick.pays(2 * MANY) else F.conv2d(x, weight, None, stride, padding)

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
        (n, d, *sides), (_, c, kernel, _) = x.shape, weight.shape
        fine = [(side - 1) * stride - 2 * padding + kernel + more for side, more in zip(sides, extra)]
        quick = _minimal((n, c, *fine), d, kernel, stride, padding)
        return (
            quick.transposed(x, weight)
            if quick.pays(2 * MANY)
            else F.conv_transpose2d(x, weight, None, stride, padding, extra)
        )

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


class Joined(Function):
    """y, which hands its gradient on to both."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, zeros: Tensor) -> Tensor:
        """Return y."""
        del zeros
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the gradient twice."""
        del ctx
        return gradients * 2


def _minimal(fine: Sequence[int], filters: int, kernel: int, stride: int, padding: int) -> Minimal:
    """Of a finer map (N, C, H, W)."""
    n, c, h, w = fine
    return Minimal(n, c, h, w, filters, kernel, stride, padding)


def _correlation(fine: Tensor, coarse: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Sum what a finer map (N, C, H, W) has around each place of a coarser (N, D, h, w): (D, C, K, K)."""
    (_, c, *_), (n, d, h, w) = fine.shape, coarse.shape
    if (quick := _minimal(fine.shape, d, kernel, stride, padding)).pays(MANY):
        return quick.correlated(fine, coarse)
    rows = (h - 1) * stride + kernel
    images = max(1, min(n, AT_ONCE // (rows * w * kernel * c * fine.element_size())))
    total = fine.new_zeros(kernel, d, kernel * c)
    for some, their in zip(fine.split(images), coarse.split(images)):
        padded = F.pad(some, [padding] * 4) if padding else some
        padded = padded.contiguous(memory_format=torch.channels_last)[:, :, :rows]
        # Patches of one row, (rows, N, w, K, C): with rows first, those that the kernel's k-th row meets are a block
        patches = padded.unfold(3, kernel, stride)[:, :, :, :w].permute(2, 0, 3, 4, 1)
        gradient = their.permute(2, 0, 3, 1).reshape(-1, d).T
        row = gradient.shape[1] // h
        for phase in range(stride):
            met = patches[phase::stride].reshape(-1, kernel * c)
            for first, k in enumerate(range(phase, kernel, stride)):
                total[k].addmm_(gradient, met[first * row : (first + h) * row])
    return total.view(kernel, d, kernel, c).permute(1, 3, 0, 2)
