"""Peak signal-to-noise ratio between an image and its ground truth, in decibels."""

import torch
from torch import Tensor

MOST = 100.0  # for an image that is exact to the bit, so that the mean stays finite


def psnr(image: Tensor, truth: Tensor) -> Tensor:
    """Return 10 log10(255^2 / mean squared difference) of each image (N,); both are uint8 (N, C, H, W)."""
    error = (image.double() - truth.double()).square().mean((1, 2, 3))
    return (10 * torch.log10(255**2 / error)).clamp(max=MOST)
