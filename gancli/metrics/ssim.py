"""Structural similarity: Wang et al. 2004, "Image Quality Assessment: From Error Visibility to …", IEEE TIP 13(4)."""

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW, SPREAD = 11, 1.5  # pixels; a Gaussian window (section III-C)
K1, K2 = 0.01, 0.03  # keep the two ratios finite (section III-C)


def ssim(image: Tensor, truth: Tensor) -> Tensor:
    """Return the mean of eq. 13 over all complete windows and channels (N,); both are uint8 (N, C, H, W).

    Images smaller than 11 pixels use a smaller window.
    """
    x, y = (side.double().flatten(0, 1)[:, None] / 255 for side in (image, truth))
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    together = _blurred(x * y) - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    numerator = (2 * mean_x * mean_y + c1) * (2 * together + c2)
    found = numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return found.mean((1, 2, 3)).unflatten(0, image.shape[:2]).mean(1)


def _blurred(x: Tensor) -> Tensor:
    """Return window-weighted means of planes (N, 1, H, W) at all complete windows."""
    for dim in (2, 3):
        weights = _window(x.shape[dim], x)
        x = F.conv2d(x, weights[None, None, :, None] if dim == 2 else weights[None, None, None, :])
    return x


def _window(side: int, like: Tensor) -> Tensor:
    size = min(WINDOW, side if side % 2 else side - 1)
    at = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    weights = torch.exp(-(at**2) / (2 * SPREAD**2))
    return weights / weights.sum()
