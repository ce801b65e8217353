"""Between the bytes of images and the numbers that networks see: uint8, and float32 in [-1, 1]."""

import torch
from torch import Tensor


def to_floats(pixels: Tensor) -> Tensor:
    """Scale values in [0, 255] of any type to new float32 in [-1, 1], on their device and in their memory layout."""
    return pixels.to(torch.float32, copy=True).div_(127.5).sub_(1)


def to_bytes(images: Tensor) -> Tensor:
    """Round values in [-1, 1] to uint8; what is outside of the range is clipped."""
    return images.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
