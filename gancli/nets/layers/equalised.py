"""Equalised learning rates: Karras et al. 2018, "Progressive Growing of GANs", arXiv:1710.10196, section 4.1.

Weights are kept at the same size everywhere, N(0, 1), and scaled when they are used, so that an optimiser whose steps
do not depend on the size of gradients, such as Adam, moves all layers equally fast.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the LeakyReLU that follows
GAIN = math.sqrt(2)  # keeps the mean square of what passes it, nearly (He et al. 2015, arXiv:1502.01852)


class EqualisedLinear(nn.Module):
    """A fully connected layer, (N, inputs) -> (N, outputs), with weights scaled by gain / sqrt(inputs).

    `lr_multiplier` makes it learn more slowly (StyleGAN, Karras et al. 2019, appendix C): parameters are kept divided
    by it. `bias` is the bias at the start; None leaves it out.
    """

    def __init__(
        self, inputs: int, outputs: int, bias: float | None = 0.0, gain: float = 1.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        start = None if bias is None else torch.full((outputs,), bias / lr_multiplier)
        self.bias = None if start is None else nn.Parameter(start)
        self.scale, self.lr_multiplier = gain * lr_multiplier / math.sqrt(inputs), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return F.linear(x, self.weight * self.scale, bias)


class EqualisedConv2d(nn.Module):
    """A convolution that keeps the size at stride 1, with weights scaled by gain / sqrt(fan in)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, bias: bool = True, gain: float = 1.0, padding: int | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.padding = kernel // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)
