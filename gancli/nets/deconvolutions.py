"""DCGAN's generator with any widths, as tutorials build it: Radford et al. 2016, arXiv:1511.06434, section 3."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class Deconvolutions(nn.Module):
    """Transposed convolutions of 4x4 pixels from a latent to an image; z (N, inputs) -> (N, C, 4 2^n, 4 2^n)."""

    def __init__(self, inputs: int, widths: Sequence[int], channels: int, *, bias: bool = False) -> None:
        super().__init__()
        sizes = [inputs, *widths]
        self.convolutions = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, *((2, 1) if i else (1, 0)), bias=bias)
            for i, (before, after) in enumerate(pairwise([*sizes, channels]))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)

    def forward(self, z: Tensor) -> Tensor:
        """Generate images in [-1, 1]."""
        x = z[:, :, None, None]
        for convolution, norm in zip(self.convolutions, self.norms):
            x = norm(convolution(x)).relu_()
        return self.convolutions[-1](x).tanh()
