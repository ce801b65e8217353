"""Alias-free nonlinearities: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", arXiv:2106.12423.

A pointwise nonlinearity creates frequencies that the sampling grid cannot hold. It is therefore applied at a higher
sampling rate, between an ideal interpolation and a low-pass filter (section 3, appendix B): in plain torch, without the
authors' CUDA sources.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gancli.nets.layers.equalised import GAIN, SLOPE
from gancli.nets.layers.resampling.resample import Pair, gather, spread

# ------------------------------------------------------------------------------------------------ design of filters


def lowpass(taps: int, cutoff: float, width: float, rate: float) -> Tensor:
    """Design a low-pass filter (taps,) of sum 1: a sinc under a Kaiser window (Karras et al. 2021, appendix B).

    It passes up to `cutoff` - `width` / 2 and stops from `cutoff` + `width` / 2, in the unit of the sampling rate.
    """
    at = _places(taps) / rate
    ideal = torch.sinc(2 * cutoff * at) * _window(taps, width, rate)
    return (ideal / ideal.sum()).float()


def radial_lowpass(taps: int, cutoff: float, width: float, rate: float) -> Tensor:
    """Design one that passes all directions alike, (taps, taps), an even number: a jinc in place of the sinc."""
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


PART = 1 << 20  # values of the interpolated map that a CPU's caches hold: parts of a batch take half the time of all


def filtered_lrelu(
    x: Tensor, up_filter: Tensor, down_filter: Tensor, up: int, down: int, crop: Pair, clamp: float
) -> Tensor:
    """Interpolate x (N, C, H, W) `up` times, apply a leaky ReLU that keeps its mean square, and filter down by `down`.

    `crop` points are cut off each side of the interpolated map, whose values are clamped. Filters are symmetric,
    (taps,), or (taps, taps) to filter down. It can be differentiated once.
    """
    # a leaky ReLU of gain * x is gain times that of x, so the gain joins that of interpolation, which zeros dilute
    up_filter = up_filter * (up * math.sqrt(GAIN))
    return _Filtered.apply(x, up_filter, down_filter, up, down, crop, clamp)  # pyright: ignore[reportReturnType]


class _Filtered(Function):
    """Keeps x only, and computes the map, which is four times as large, once more for the gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, up_filter: Tensor, down_filter: Tensor, up: int, down: int, crop: Pair, clamp: float
    ) -> Tensor:
        ctx.save_for_backward(x, up_filter, down_filter)
        ctx.how = up, down, crop, clamp
        maps = (_up(part, up_filter, up, crop) for part in x.split(_together(x, up)))
        return torch.cat([_down(_bent(part, clamp, inplace=True), down_filter, down) for part in maps])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, up_filter, down_filter = ctx.saved_tensors
        up, down, crop, clamp = ctx.how
        n = _together(x, up)
        found = []
        for part, gradient in zip(x.split(n), gradients[0].split(n)):
            wide = _up(part, up_filter, up, crop)
            with torch.enable_grad():
                bent = _bent(wide.requires_grad_(), clamp)
            (slope,) = torch.autograd.grad(bent, wide, _down_transposed(gradient, down_filter, down))
            found.append(_up_transposed(slope, up_filter, up, crop))
        return torch.cat(found), *[None] * 6


def _together(x: Tensor, up: int) -> int:
    """Return how many images to compute at once."""
    return max(1, PART // (x[0].numel() * up**2)) if x.device.type == "cpu" else len(x)


def _bent(x: Tensor, clamp: float, inplace: bool = False) -> Tensor:
    return F.hardtanh(F.leaky_relu(x, SLOPE, inplace), -clamp, clamp, inplace)


def _up(x: Tensor, taps: Tensor, factor: int, crop: Pair) -> Tensor:
    x = spread(x, taps[:, None], (factor, 1), (crop[0], 0))
    return spread(x, taps[None], (1, factor), (0, crop[1]))


def _up_transposed(x: Tensor, taps: Tensor, factor: int, crop: Pair) -> Tensor:
    x = gather(x, taps[None], (1, factor), (0, crop[1]))
    return gather(x, taps[:, None], (factor, 1), (crop[0], 0))


def _down(x: Tensor, taps: Tensor, factor: int) -> Tensor:
    if taps.dim() == 2:
        return gather(x, taps, (factor, factor), (0, 0))
    return gather(gather(x, taps[:, None], (factor, 1), (0, 0)), taps[None], (1, factor), (0, 0))


def _down_transposed(x: Tensor, taps: Tensor, factor: int) -> Tensor:
    if taps.dim() == 2:
        return spread(x, taps, (factor, factor), (0, 0))
    return spread(spread(x, taps[None], (1, factor), (0, 0)), taps[:, None], (factor, 1), (0, 0))
