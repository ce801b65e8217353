"""Filters of wavelets as matrices along one side of an image, whose edges are mirrored.

A matrix product differentiates as often as one likes, and costs little beside the networks. The matrices are kept, for
a CUDA graph may not copy them to its device.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# low-pass filters of Daubechies' symlets with 6 and 2 vanishing moments (Daubechies 1992, tables 8.4 and 6.1)
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
MIDDLE = len(SYM6) // 2 - 1
PHASE = sum(k * weight for k, weight in enumerate(SYM6)) / math.sqrt(2) - MIDDLE  # pixel i is doubled around 2i + PHASE
MARGIN = 6  # pixels around a doubled image that halving it looks at
BANDS = 4


def mirrored(at: "np.ndarray", side: int) -> "np.ndarray":
    """Mirror positions beyond the edges back into [0, side), as often as needed; edge pixels are repeated."""
    at = at % (2 * side)
    return np.where(at < side, at, 2 * side - 1 - at)


def doubling(side: int, device: torch.device) -> Tensor:
    """Return a matrix (2 side, side) that interpolates."""
    return _doubling(side, device, torch.get_default_dtype())


@lru_cache(64)
def _doubling(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    found = np.zeros((2 * side, side))
    for source in range(-len(SYM6), side + len(SYM6)):
        for k, weight in enumerate(SYM6):
            target = 2 * source + k - MIDDLE
            if 0 <= target < 2 * side:
                found[target, mirrored(np.array(source), side)] += weight * math.sqrt(2)
    return torch.from_numpy(found).to(dtype).to(device)


def halving(side: int, device: torch.device) -> Tensor:
    """Return a matrix (side, 2 side + 2 MARGIN), the inverse of doubling with a margin on each end."""
    return _halving(side, device, torch.get_default_dtype())


@lru_cache(64)
def _halving(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    found = np.zeros((side, 2 * side + 2 * MARGIN))
    for target in range(side):
        for k, weight in enumerate(SYM6):
            found[target, 2 * target + k - MIDDLE + MARGIN] += weight / math.sqrt(2)
    return torch.from_numpy(found).to(dtype).to(device)


def bands(side: int, device: torch.device) -> Tensor:
    """Return matrices (BANDS, side, side) that split a signal into bands, coarsest first; their sum is the identity."""
    return _bands(side, device, torch.get_default_dtype())


@lru_cache(64)
def _bands(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    taps = _bank()
    middle = taps.shape[1] // 2
    found = np.zeros((BANDS, side, side))
    for target in range(side):
        for k in range(taps.shape[1]):
            found[:, target, mirrored(np.array(target + k - middle), side)] += taps[:, k]
    return torch.from_numpy(found).to(dtype).to(device)


def _bank() -> "np.ndarray":
    """Return the taps (BANDS, T): low-pass after low-pass, each at half the rate of the one after it."""
    low = np.array(SYM2)
    high = low * (-1) ** np.arange(len(low))
    low2, high2 = (np.convolve(taps, taps[::-1]) / 2 for taps in (low, high))
    found = [np.ones(1)]
    for _ in range(1, BANDS):
        spread = [np.convolve(_spread(taps), low2) for taps in found]
        edge = (len(spread[0]) - len(high2)) // 2
        found = [*spread, np.pad(high2, edge)]
    return np.stack(found)


def _spread(taps: "np.ndarray") -> "np.ndarray":
    wide = np.zeros(2 * len(taps) - 1)
    wide[::2] = taps
    return wide
