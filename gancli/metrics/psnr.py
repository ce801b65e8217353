"""Peak signal-to-noise ratio: how far a picture is from the one that it should be, in decibels."""

import torch
from torch import Tensor

MOST = 100.0  # of a picture that is right to the bit, so that a mean exists


def psnr(image: Tensor, truth: Tensor) -> Tensor:
    """10 log10(255^2 / mean squared difference) of each image (N,); uint8 (N, C, H, W) both."""
    error = (image.double() - truth.double()).square().mean((1, 2, 3))
    return (10 * torch.log10(255**2 / error)).clamp(max=MOST)
