"""Blurred images, so that D cannot look at details yet: Karras et al. 2021, arXiv:2106.12423, appendix G."""

import torch
from torch import Tensor

from gancli.nets.layers.resample import gather


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Filter images (N, C, H, W) by 2^-(x / sigma)^2, sigma in pixels; from a third of a pixel down they stay."""
    reach = int(3 * sigma)
    if not reach:
        return image
    reach = min(reach, max(image.shape[2:]) - 1)  # nothing is farther away than the other edge
    taps = torch.arange(-reach, reach + 1, device=image.device).div(sigma).square().neg().exp2()
    taps = (taps / taps.sum()).to(image.dtype)
    x = gather(image, taps[:, None], (1, 1), (reach, 0))
    return gather(x, taps[None], (1, 1), (0, reach))
