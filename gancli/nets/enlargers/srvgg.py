"""Real-ESRGAN's compact generator for videos and anime: plain convolutions at the small size, one pixel shuffle.

From the authors' code of Wang et al. 2021, arXiv:2107.10833 (SRVGGNetCompact), whose tensor names it has. At 64
features it has 621,424 parameters with 16 layers between the first and the last, and 1,213,296 with 32.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class CompactNet(nn.Module):
    """Images (N, C, H, W) in [0, 1] -> enlarged ones (N, C, scale H, scale W), nominally in [0, 1]."""

    def __init__(self, channels: int, features: int, layers: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        widths = [channels, *[features] * (layers + 1)]
        body = [
            part
            for before, after in pairwise(widths)
            for part in (nn.Conv2d(before, after, 3, padding=1), nn.PReLU(after))
        ]
        self.body = nn.Sequential(*body, nn.Conv2d(features, channels * scale**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Add details to the image enlarged by repeating pixels."""
        details = F.pixel_shuffle(self.body(x), self.scale)
        return details + F.interpolate(x, scale_factor=float(self.scale), mode="nearest")
