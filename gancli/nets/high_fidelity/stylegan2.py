"""StyleGAN2's networks: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", arXiv:1912.04958.

The generator with skips and the residual discriminator (section 4.1). Parameters have the names, sizes and meaning of
NVlabs' StyleGAN2-ADA, so that its weights fit; gains are applied where that costs no pass over the images. The sides
of images may be any that halve to 4..7 pixels: blocks are named by the shorter one.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets.dcgan import stages
from gancli.nets.high_fidelity.mapping import Mapping
from gancli.nets.layers.equalised import GAIN, SLOPE, EqualisedLinear
from gancli.nets.layers.modulation import demodulation, modulated, projected
from gancli.nets.layers.noise import maps_like
from gancli.nets.layers.resampling.resample import blur, downsample, fir, upsample
from gancli.nets.layers.stddev import MinibatchStddev

HALF = math.sqrt(0.5)  # of each of the two branches of a residual block, so that their sum has the size of either


def widths(spec: DataSpec, base: int, most: int) -> list[int]:
    """Return the channels of each resolution, from the coarsest: `base` over the shorter side, at most `most`."""
    shorter = min(spec.height, spec.width)
    return [max(1, min(base // (shorter >> i), most)) for i in reversed(range(stages(spec) + 1))]


def sides(spec: DataSpec) -> list[tuple[int, int]]:
    """Return height and width of each resolution, from the coarsest."""
    return [(spec.height >> i, spec.width >> i) for i in reversed(range(stages(spec) + 1))]


def _called(size: tuple[int, int]) -> str:
    return f"b{min(size)}"


# ------------------------------------------------------------------------------------------------- generator


class SynthesisLayer(nn.Module):
    """A modulated convolution, noise, bias and LeakyReLU, to images of a given size; `up` doubles it."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: tuple[int, int], up: bool = False) -> None:
        super().__init__()
        self.affine = EqualisedLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(size))
        self.up = up
        if up:
            self.register_buffer("resample_filter", fir())

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W), styles (N, w_dim) -> (N, outputs, H, W)."""
        style = self.affine(w)
        y = modulated(x, self.weight, style, self.resample_filter if self.up else None)
        scale = (demodulation(style, self.weight) * GAIN).to(y.dtype)
        y = y * scale[:, :, None, None]
        y += (self.noise(len(y)) * (self.noise_strength * GAIN)).to(y.dtype)  # in place: new memory takes time
        y += (self.bias * GAIN).to(y.dtype)[:, None, None]
        return F.leaky_relu(y, SLOPE, inplace=True)

    def noise(self, n: int) -> Tensor:
        """Return one map for all channels: for each image another (n, 1, H, W); in evaluation one for all (H, W)."""
        return maps_like(self.noise_const, n) if self.training else self.noise_const


class ToRGB(nn.Module):
    """Features to an image: a modulated 1 x 1 convolution without demodulation."""

    def __init__(self, inputs: int, channels: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualisedLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W), styles (N, w_dim) -> (N, channels, H, W), float32."""
        return projected(x, self.weight, self.affine(w) / math.sqrt(x.shape[1]), self.bias).float()


class SynthesisBlock(nn.Module):
    """One resolution: its layers and what it adds to the image. The coarsest begins with a learnt constant."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.const = None if inputs else nn.Parameter(torch.randn(outputs, *size))
        self.conv0 = SynthesisLayer(inputs, outputs, w_dim, size, up=True) if inputs else None
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, size)
        self.torgb = ToRGB(outputs, channels, w_dim)
        self.register_buffer("resample_filter", fir())

    def forward(self, x: Tensor | None, image: Tensor | None, w: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return features and image at this resolution, by the styles (N, w_dim) of its two or three layers."""
        *styles, of_image = w
        if self.conv0 is not None:
            assert x is not None
            x = self.conv0(x, styles[0])
        else:
            assert self.const is not None
            x = self.const.expand(len(of_image), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.conv1(x, styles[-1])
        own = self.torgb(features, of_image)
        return features, own if image is None else upsample(image, self.resample_filter) + own


class Synthesis(nn.Module):
    """Styles (N, L, w_dim) to images. The image of each resolution shares a style with the first layer of the next."""

    def __init__(self, w_dim: int, channels: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        self.blocks = [_called(size) for size in sides(spec)]
        for (before, after), size in zip(pairwise([0, *channels]), sides(spec), strict=True):
            self.add_module(_called(size), SynthesisBlock(before, after, w_dim, size, spec.channels))
        self.layers = 2 * len(self.blocks)

    def forward(self, w: Tensor) -> Tensor:
        """Generate images (N, C, H, W), float32, mostly in [-1, 1]."""
        each, x, image = w.unbind(1), None, None
        for i, name in enumerate(self.blocks):
            used = each[2 * i - 1 : 2 * i + 2] if i else each[:2]
            x, image = cast(SynthesisBlock, getattr(self, name))(x, image, used)
        assert image is not None
        return image


class Generator(nn.Module):
    """Latents (N, z_dim + K), noise and a one-hot label, to images, through styles."""

    def __init__(self, z_dim: int, w_dim: int, layers: int, channels: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, len(spec.classes), w_dim, layers)
        self.synthesis = Synthesis(w_dim, channels, spec)

    @property
    def style_layers(self) -> int:
        """Return L."""
        return self.synthesis.layers

    def forward(self, latent: Tensor) -> Tensor:
        """Generate images (N, C, H, W) that are mostly in [-1, 1]."""
        return self.synthesis(self.mapping(latent)[:, None].expand(-1, self.style_layers, -1))


# --------------------------------------------------------------------------------------------- discriminator


class Layer(nn.Module):
    """A convolution with equalised learning rate, bias and LeakyReLU; `down` halves the sides, after a blur."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, down: bool = False, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain, self.down = GAIN * gain, down
        if down:
            self.register_buffer("resample_filter", fir())

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), or half of the sides."""
        weight = self.weight * (self.gain / math.sqrt(self.weight[0].numel()))
        margin = weight.shape[-1] // 2
        if self.down:
            taps = self.resample_filter
            before, behind = (len(taps) - 1) // 2 + margin, (len(taps) - 2) // 2 + margin
            x, margin = blur(x, taps, (before, behind)), 0
        y = F.conv2d(x, weight, self.bias * self.gain, stride=1 + self.down, padding=margin)
        return F.leaky_relu(y, SLOPE, inplace=True)


class Skip(nn.Module):
    """The branch of a residual block that has no activation: half of the sides, then a 1 x 1 convolution."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.register_buffer("resample_filter", fir())

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        return F.conv2d(downsample(x, self.resample_filter), self.weight * (HALF / math.sqrt(x.shape[1])))


class DiscriminatorBlock(nn.Module):
    """One resolution: two convolutions beside a skip; the finest reads the image."""

    def __init__(self, inputs: int, outputs: int, channels: int = 0) -> None:
        super().__init__()
        self.fromrgb = Layer(channels, inputs, 1) if channels else None
        self.conv0 = Layer(inputs, inputs, 3)
        self.conv1 = Layer(inputs, outputs, 3, down=True, gain=HALF)
        self.skip = Skip(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        x = x if self.fromrgb is None else self.fromrgb(x)
        return self.skip(x) + self.conv1(self.conv0(x))


class Epilogue(nn.Module):
    """The coarsest resolution: how much the images of a batch differ, a convolution, and two fully connected layers."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        # over the whole batch: the authors' groups of four depend on how images are spread over GPUs
        self.mbstd = MinibatchStddev()
        self.conv = Layer(inputs + 1, inputs, 3)
        self.fc = EqualisedLinear(inputs * size[0] * size[1], inputs)
        self.out = EqualisedLinear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs)."""
        return self.out(F.leaky_relu(self.fc(self.conv(self.mbstd(x)).flatten(1)), SLOPE) * GAIN)


class Discriminator(nn.Module):
    """Images (N, C, H, W) and one-hot labels (N, K) to logits (N,): with classes, by projection.

    Features are compared with an embedding of the label (Miyato and Koyama 2018, arXiv:1802.05637).
    """

    def __init__(self, layers: int, channels: Sequence[int], spec: DataSpec) -> None:
        super().__init__()
        fine_to_coarse = [*zip(sides(spec), channels)][::-1]
        self.blocks = [_called(size) for size, _ in fine_to_coarse]
        for (size, inputs), (_, outputs) in pairwise(fine_to_coarse):
            first = size == (spec.height, spec.width)
            self.add_module(_called(size), DiscriminatorBlock(inputs, outputs, spec.channels if first else 0))
        classes, (size, inputs) = len(spec.classes), fine_to_coarse[-1]
        self.add_module(_called(size), Epilogue(inputs, inputs if classes else 1, size))
        self.mapping = Mapping(0, classes, inputs, layers) if classes else None

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Judge images; in float32."""
        for name in self.blocks:
            x = cast(Any, getattr(self, name))(x)
        x = x.float()
        if self.mapping is None:
            return x.squeeze(1)
        return (x * self.mapping(label)).sum(1) / math.sqrt(x.shape[1])
