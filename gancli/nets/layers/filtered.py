"""Alias-free nonlinearities: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", arXiv:2106.12423.

A pointwise nonlinearity creates frequencies that the sampling grid cannot hold. It is therefore applied at a higher
sampling rate, between an ideal interpolation and a low-pass filter (section 3, appendix B): in plain torch, without the
authors' CUDA sources.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LINEAR, SLOPE = 1.0, 0.2  # slopes below zero: of a filter alone, and of leaky ReLUs


# ------------------------------------------------------------------------------------------------ design of filters


def lowpass(taps: int, cutoff: float, width: float, rate: float) -> Tensor:
    """Design a low-pass filter (taps,) of sum 1: a sinc under a Kaiser window (Karras et al. 2021, appendix B).

    It passes up to `cutoff` - `width` / 2 and stops from `cutoff` + `width` / 2, in the unit of the sampling rate.
    """
    at = _places(taps) / rate
    ideal = torch.sinc(2 * cutoff * at) * _window(taps, width, rate)
    return (ideal / ideal.sum()).float()


def radial_lowpass(taps: int, cutoff: float, width: float, rate: float) -> Tensor:
    """Design one that passes all directions alike, (taps, taps): a jinc instead of the sinc (the same, eq. 5)."""
    at = _places(taps) / rate
    radius = math.pi * torch.hypot(at[:, None], at)
    window = _window(taps, width, rate)
    ideal = torch.special.bessel_j1(2 * cutoff * radius) / radius * torch.outer(window, window)
    return (ideal / ideal.sum()).float()


def _places(taps: int) -> Tensor:
    return torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2


def _window(taps: int, width: float, rate: float) -> Tensor:
    beta = kaiser_beta(taps, width, rate)
    return torch.kaiser_window(taps, periodic=False, beta=beta, dtype=torch.float64)


def kaiser_beta(taps: int, width: float, rate: float) -> float:
    """Return the shape of the Kaiser window whose filter falls within `width` (Kaiser 1974, as Karras et al. do)."""
    attenuation = 2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95  # dB
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21) if attenuation > 21 else 0.0


# ------------------------------------------------------------------------------------------------ application


Pair = tuple[int, int]  # along height and width


def filtered_lrelu(
    x: Tensor, up_filter: Tensor, down_filter: Tensor, up: int, down: int, crop: Pair, gain: float, clamp: float
) -> Tensor:
    """Interpolate x (N, C, H, W) `up` times, apply a leaky ReLU times `gain`, clamp, and filter down by `down`.

    `crop` points are cut off each side of the interpolated map. Filters are (taps,), or (taps, taps) to filter down.
    """
    # a leaky ReLU of gain * x is gain times that of x, so the gain joins that of interpolation, which zeros dilute
    x = upsample(x, up_filter * (up * math.sqrt(gain)), up, crop)
    return downsample(F.hardtanh(F.leaky_relu(x, SLOPE), -clamp, clamp), down_filter, down)


def upsample(x: Tensor, filter: Tensor, factor: int, crop: Pair = (0, 0)) -> Tensor:
    """Put `factor` - 1 zeros between points and filter, without padding: the transpose of `downsample`."""
    return _Up.apply(x, filter, factor, crop)  # pyright: ignore[reportReturnType]


def downsample(x: Tensor, filter: Tensor, factor: int, pad: Pair = (0, 0)) -> Tensor:
    """Filter and keep every `factor`-th point of those where the filter lies within the map padded by zeros.

    The map must end where the last of them does; raise ValueError otherwise.
    """
    if any((size + 2 * edge - len(filter)) % factor for size, edge in zip(x.shape[2:], pad)):
        raise ValueError(f"a map of {tuple(x.shape[2:])} has points left over at stride {factor}")
    return _Down.apply(x, filter, factor, pad)  # pyright: ignore[reportReturnType]


class _Up(torch.autograd.Function):
    """Its gradient is `_Down` and the other way round: twice as fast as torch's gradients of depthwise convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, filter: Tensor, factor: int, crop: Pair) -> Tensor:
        ctx.save_for_backward(filter)
        ctx.sizes = factor, crop
        for kernel, stride, cut in _passes(filter, factor, crop):
            x = F.conv_transpose2d(x, _depthwise(kernel, x), stride=stride, padding=cut, groups=x.shape[1])
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Down.apply(grad, *ctx.saved_tensors, *ctx.sizes), None, None, None


class _Down(torch.autograd.Function):
    """See `_Up`. The filters are symmetric, so that torch's convolutions, which do not flip them, are convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, filter: Tensor, factor: int, pad: Pair) -> Tensor:
        ctx.save_for_backward(filter)
        ctx.sizes = factor, pad
        for kernel, stride, cut in _passes(filter, factor, pad):
            x = F.conv2d(x, _depthwise(kernel, x), stride=stride, padding=cut, groups=x.shape[1])
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Up.apply(grad, *ctx.saved_tensors, *ctx.sizes), None, None, None


def _passes(filter: Tensor, factor: int, edge: Pair) -> list[tuple[Tensor, Pair, Pair]]:
    """List kernels with their strides and paddings: one along each axis if the filter is separable."""
    if filter.dim() == 2:
        return [(filter, (factor, factor), edge)]
    return [(filter[:, None], (factor, 1), (edge[0], 0)), (filter[None], (1, factor), (0, edge[1]))]


def _depthwise(kernel: Tensor, x: Tensor) -> Tensor:
    return kernel.to(x.dtype).expand(x.shape[1], 1, *kernel.shape)
