"""Modulated convolutions: Karras et al. 2020, arXiv:1912.04958, "Analyzing and Improving … StyleGAN".

Section 2.2 and appendix B: the weights of a convolution are scaled by an image's style, then divided by the size that
this gives to the output. Here activations are scaled in place of weights: s goes before the convolution and 1 / sigma
behind it, which is the same, and the images of a batch share one convolution.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.nets.layers.resampling.resample import blur
from gancli.system.devices import full_precision

EPSILON = 1e-8


def demodulation(style: Tensor, weight: Tensor) -> Tensor:
    """Return 1 / sigma (N, O) for styles (N, I) and a weight (O, I, K, K): eq. 3; float32, as it sums squares."""
    with full_precision(style.device):
        return (style.float().square() @ weight.float().square().sum((2, 3)).T + EPSILON).rsqrt()


def modulated(x: Tensor, weight: Tensor, style: Tensor, taps: Tensor | None = None) -> Tensor:
    """Convolve images (N, I, H, W) with a weight (O, I, K, K) scaled by styles (N, I); the size stays for odd K.

    With `taps`, a filter (K, K), the sides double: a transposed convolution, then the filter (appendix B).
    """
    x = x * style.to(x.dtype)[:, :, None, None]
    if taps is None:
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    y = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    before, behind = (len(taps) + 2 - weight.shape[-1]) // 2, (len(taps) - weight.shape[-1] + 1) // 2
    return blur(y, taps * 4, (before, behind))


def projected(x: Tensor, weight: Tensor, style: Tensor, bias: Tensor) -> Tensor:
    """Convolve images (N, I, H, W) with a 1 x 1 weight (O, I, 1, 1) scaled by styles (N, I), and no demodulation.

    A matrix for each image: for the few channels of an image that is a pass less over x.
    """
    n, inputs, height, width = x.shape
    matrix = style[:, :, None] * weight[:, :, 0, 0].T  # (N, I, O)
    pixels = x.permute(0, 2, 3, 1).reshape(n, height * width, inputs)
    y = torch.baddbmm(bias.to(x.dtype), pixels, matrix.to(x.dtype))
    return y.view(n, height, width, -1).permute(0, 3, 1, 2)
