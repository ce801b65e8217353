"""SPADE's generator: Park et al. 2019, "Semantic Image Synthesis with SPADE", arXiv:1903.07291, sections 3 and A.

Tensors have the authors' names, with spectral norm (in the residual blocks) folded into the weights.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
WIDEST = 16  # times the width
MIDDLE = 2  # blocks at the widest, between the first one and those that narrow


class SPADE(nn.Module):
    """Batch norm whose scale and shift are computed at each pixel from the map of labels (eq. 1)."""

    def __init__(self, channels: int, labels: int, hidden: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(labels, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        h = self.mlp_shared(F.interpolate(labels, x.shape[2:], mode="nearest"))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(h)) + self.mlp_beta(h)


class Residual(nn.Module):
    """Two convolutions after SPADE norms, added to what enters (figure 4)."""

    def __init__(self, inputs: int, outputs: int, labels: int, hidden: int) -> None:
        super().__init__()
        inner = min(inputs, outputs)
        self.norm_0, self.conv_0 = SPADE(inputs, labels, hidden), nn.Conv2d(inputs, inner, 3, padding=1)
        self.norm_1, self.conv_1 = SPADE(inner, labels, hidden), nn.Conv2d(inner, outputs, 3, padding=1)
        self.widens = inputs != outputs
        if self.widens:
            self.norm_s, self.conv_s = SPADE(inputs, labels, hidden), nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        short = self.conv_s(self.norm_s(x, labels)) if self.widens else x
        h = self.conv_0(F.leaky_relu(self.norm_0(x, labels), SLOPE))
        return short + self.conv_1(F.leaky_relu(self.norm_1(h, labels), SLOPE))


class SPADENet(nn.Module):
    """Maps of labels (N, labels, H, W), one-hot with further planes, to images (N, 3, H, W) in [-1, 1].

    `steps` is how often the size doubles on the way: 5 as a rule, 6 or 7 for larger images. H and W are multiples of
    2^steps. The file of published weights does not say it.
    """

    def __init__(self, labels: int, width: int = 64, hidden: int = 128, steps: int = 5, channels: int = 3) -> None:
        super().__init__()
        self.steps = steps
        widths = [width * WIDEST >> i for i in range(5 + (steps > 6))]
        self.fc = nn.Conv2d(labels, widths[0], 3, padding=1)
        self.head_0 = Residual(widths[0], widths[0], labels, hidden)
        self.G_middle_0, self.G_middle_1 = (Residual(widths[0], widths[0], labels, hidden) for _ in range(MIDDLE))
        for i, (before, after) in enumerate(pairwise(widths)):
            self.add_module(f"up_{i}", Residual(before, after, labels, hidden))
        self.ups = len(widths) - 1
        self.conv_img = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, labels: Tensor) -> Tensor:
        """Generate images."""
        height, width = labels.shape[2:]
        x = self.fc(F.interpolate(labels, (height >> self.steps, width >> self.steps), mode="nearest"))
        x = self.G_middle_0(_doubled(self.head_0(x, labels)), labels)
        x = self.G_middle_1(_doubled(x) if self.steps > 5 else x, labels)
        for i in range(self.ups):
            x = self.get_submodule(f"up_{i}")(_doubled(x), labels)
        return torch.tanh(self.conv_img(F.leaky_relu(x, SLOPE)))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
