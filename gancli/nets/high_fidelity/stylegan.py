"""StyleGAN's networks: Karras et al. 2019, "A Style-Based Generator Architecture …", arXiv:1812.04948, section 2.

The numbers are those of the authors' code. It upsamples and convolves in one from 64 pixels on, which is the same.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity import progan
from gancli.nets.high_fidelity.mapping import Mapping
from gancli.nets.high_fidelity.progan import activated, convolution, enlarged, shrunk
from gancli.nets.layers.equalised import GAIN, EqualisedLinear
from gancli.nets.layers.noise import maps_like
from gancli.nets.layers.norms import InstanceNorm2d
from gancli.nets.layers.resampling.resample import blur, fir

TAPS = (1.0, 2.0, 1.0)  # of the filter against the grid that nearest neighbours leave
KEPT = 0.995  # of the mean of w per step (appendix B)


class Styled(nn.Module):
    """What follows each convolution: noise, bias, LeakyReLU, and adaptive instance normalisation (eq. 1)."""

    noise_const: Tensor  # (H, W)

    def __init__(self, channels: int, w_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.noise_strength = nn.Parameter(torch.zeros(channels))
        self.norm = InstanceNorm2d(channels)
        self.affine = EqualisedLinear(w_dim, 2 * channels)  # scales, and what is added
        with torch.no_grad():
            self.affine.bias[:channels] = 1  # pyright: ignore[reportOptionalSubscript]  it has one
        self.register_buffer("noise_const", torch.randn(size))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, C, H, W), styles (N, W) -> (N, C, H, W) whose means and deviations are those of the style."""
        noise = self.noise(len(x)) * self.noise_strength[:, None, None]
        x = activated(x + (noise + self.bias[:, None, None]).to(x.dtype))
        scale, shift = self.affine(w)[:, :, None, None].chunk(2, 1)
        return self.norm(x) * scale + shift

    def noise(self, n: int) -> Tensor:
        """Return one map for all channels: another for each image (n, 1, H, W); in evaluation one for all (H, W)."""
        return maps_like(self.noise_const, n) if self.training else self.noise_const


class Upsampling(nn.Module):
    """Upsampling, a convolution and the filter; (N, inputs, H, W) -> (N, outputs, 2 H, 2 W)."""

    taps: Tensor
    bias: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.randn(outputs, inputs, 3, 3)), GAIN / (9 * inputs) ** 0.5
        self.register_buffer("taps", fir(TAPS))
        # 0 here, as the authors add theirs after the filter; others filter it too, which shows at the borders
        self.register_buffer("bias", torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Double the sides."""
        return blur(F.conv2d(enlarged(x), self.weight * self.scale, self.bias, padding=1), self.taps, 1)


class Block(nn.Module):
    """A level: two convolutions, each styled. The coarsest begins with a learnt constant in place of the first."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        # the authors begin with ones, which have no variance to normalise
        self.const = None if inputs else nn.Parameter(torch.randn(1, outputs, *size))
        self.conv1 = Upsampling(inputs, outputs) if inputs else None
        self.style1 = Styled(outputs, w_dim, size)
        self.conv2 = progan.EqualisedConv2d(outputs, outputs, 3, bias=False, gain=GAIN)
        self.style2 = Styled(outputs, w_dim, size)

    def forward(self, x: Tensor | None, w: Sequence[Tensor]) -> Tensor:
        """Return the features of this level, by the styles (N, W) of its two layers."""
        if self.conv1 is None or x is None:
            assert self.const is not None
            x = self.const.expand(len(w[0]), -1, -1, -1)
        else:
            x = self.conv1(x)
        return self.style2(self.conv2(self.style1(x, w[0])), w[1])


class Synthesis(progan.GrowingGenerator):
    """Styles (N, L, W) to images, level by level."""

    def __init__(self, w_dim: int, channels: Sequence[int], spec: DataSpec, first: int = 0) -> None:
        super().__init__(channels, spec, first)
        self.layers = 2 * len(channels)
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, w_dim, (self.size[0] << level, self.size[1] << level))
            for level, (inputs, outputs) in enumerate(pairwise([0, *channels]))
        )

    def forward(self, w: Tensor, level: int | None = None) -> Tensor:
        """Generate images (N, C, H, W) of a level, nominally in [-1, 1]; that of `grow` by default."""
        last = self.grown() if level is None else level
        styles, features = w.unbind(1), list[Tensor]()
        for at in range(last + 1):
            below = features[-1] if features else None
            features.append(self.blocks[at](below, styles[2 * at : 2 * at + 2]))
        return self.image(features)


class Generator(nn.Module):
    """Latents (N, z_dim + K), noise and a one-hot label, to images, through styles."""

    def __init__(
        self, z_dim: int, w_dim: int, layers: int, channels: Sequence[int], spec: DataSpec, first: int = 0
    ) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, len(spec.classes), w_dim, layers, KEPT)
        self.synthesis = Synthesis(w_dim, channels, spec, first)

    @property
    def style_layers(self) -> int:
        """Return L."""
        return self.synthesis.layers

    def forward(self, latent: Tensor) -> Tensor:
        """Generate images (N, C, H, W) of the level of `grow`."""
        return self.synthesis(self.mapping(latent)[:, None].expand(-1, self.style_layers, -1))


class Down(nn.Module):
    """ProGAN's two convolutions, with the filter before what halves the sides."""

    taps: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = convolution(inputs, inputs), convolution(inputs, outputs)
        self.register_buffer("taps", fir(TAPS))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        return activated(shrunk(self.conv2(blur(activated(self.conv1(x)), self.taps, 1))))


def discriminator(channels: Sequence[int], spec: DataSpec, first: int = 0) -> progan.Discriminator:
    """Build ProGAN's D, with the filter; with classes, the label chooses its output (as in the authors' code)."""
    return progan.Discriminator(channels, spec, first, len(spec.classes), Down)
