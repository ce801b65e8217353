"""StyleGAN3's generator: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", arXiv:2106.12423.

Details move with the surface that they are on, because no layer can tell where its sampling grid lies: the input is
made of waves in the plane, and every nonlinearity is filtered. Parameters and buffers have the names and values of the
authors' code, so that their tensors fit as they are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets.high_fidelity.mapping import Mapping
from gancli.nets.layers.equalised import EqualisedLinear
from gancli.nets.layers.modulation import demodulation, projected
from gancli.nets.layers.resampling.filtered import filtered_lrelu, lowpass, radial_lowpass
from gancli.nets.layers.resampling.resample import gather
from gancli.system import dist
from gancli.system.devices import full_precision

FIRST_CUTOFF, FIRST_STOPBAND = 2.0, 2**2.1  # cycles per image (section 3.2 and Table 1, right)
LAST_STOPBAND = 2**0.3  # times the last cutoff
CRITICAL = 2  # layers at the end that use all frequencies of their grid
MARGIN = 10  # points beyond each side of the image, so that nothing within it depends on the edges
TAPS = 6  # of a filter, per factor of resampling
CLAMP = 256.0  # of features
OUTPUT_SCALE = 0.25
MAGNITUDE_IMAGES = 20_000  # half-life of the features' magnitudes
TINY = 1e-30  # keeps a style of zeros finite
SMALLEST = 4  # pixels of the longer side


class Size(NamedTuple):
    """Points along each axis."""

    height: int
    width: int


@dataclass(frozen=True)
class Band:
    """What a layer gives: the frequencies that it holds, and its grid."""

    rate: int  # points per image
    cutoff: float  # cycles per image
    half_width: float  # of the filter's slope
    size: Size  # with the margin
    channels: int


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What fixes a generator's tensors. The defaults are those of config T."""

    z_dim: int = 512
    w_dim: int = 512
    mapping: int = 2  # fully connected layers before w
    layers: int = 14  # without the one that gives the colours
    base: int = 32768  # channels times cycles per image, times 2
    most: int = 512  # channels
    kernel: int = 3  # of the convolutions; 1 for config R
    radial: bool = False  # config R: filters that pass all directions alike


def bands(shape: Shape, spec: DataSpec) -> list[Band]:
    """Return what each layer gives; cutoffs grow geometrically (Karras et al. 2021, section 3.2).

    An image whose sides are not one power of two is a part of such a square, with the same density of points.
    """
    full = 1 << (max(spec.height, spec.width) - 1).bit_length()
    if full < SMALLEST:
        raise UserError(f"stylegan3 generates images of at least {SMALLEST} pixels, not {spec.width}x{spec.height}")
    found = [_band(shape, spec, full, min(i / (shape.layers - CRITICAL), 1.0)) for i in range(shape.layers)]
    found[-1] = replace(found[-1], size=Size(spec.height, spec.width))
    return [*found, replace(found[-1], channels=spec.channels)]


def _band(shape: Shape, spec: DataSpec, full: int, progress: float) -> Band:
    cutoff = FIRST_CUTOFF * (full / 2 / FIRST_CUTOFF) ** progress
    stopband = FIRST_STOPBAND * (full / 2 * LAST_STOPBAND / FIRST_STOPBAND) ** progress
    rate = 1 << math.ceil(math.log2(min(2 * stopband, full)))
    size = Size(*(math.ceil(rate * side / full) + 2 * MARGIN for side in (spec.height, spec.width)))
    channels = max(round(min(shape.base / 2 / cutoff, shape.most)), 1)
    return Band(rate, cutoff, max(stopband, rate / 2) - cutoff, size, channels)


class Generator(nn.Module):
    """Latents (N, z_dim + K), noise and a one-hot label, to images, through styles."""

    def __init__(self, shape: Shape, spec: DataSpec) -> None:
        super().__init__()
        self.mapping = Mapping(shape.z_dim, len(spec.classes), shape.w_dim, shape.mapping)
        self.synthesis = Synthesis(shape, spec)

    @property
    def style_layers(self) -> int:
        """Return L, how many styles steer an image."""
        return len(self.synthesis.names) + 1

    def forward(self, latent: Tensor) -> Tensor:
        """Generate images (N, C, H, W) that are mostly in [-1, 1]."""
        return self.synthesis(self.mapping(latent)[:, None].expand(-1, self.style_layers, -1))


class Synthesis(nn.Module):
    """Styles (N, L, W) to images (N, C, H, W)."""

    def __init__(self, shape: Shape, spec: DataSpec) -> None:
        super().__init__()
        steps = bands(shape, spec)
        self.input = Input(steps[0], shape.w_dim)
        self.names: list[str] = []
        for i, (old, new) in enumerate(zip([steps[0], *steps], steps)):
            self.names.append(f"L{i}_{new.size.width}_{new.channels}")
            last = i == shape.layers
            layer = ToColours(old, new, shape) if last else Layer(old, new, shape, i >= shape.layers - CRITICAL)
            self.add_module(self.names[-1], layer)

    def layers(self) -> Iterator["Layer | ToColours"]:
        """Yield the layers, the coarsest first."""
        return (self.get_submodule(name) for name in self.names)  # pyright: ignore[reportReturnType]

    def forward(self, w: Tensor) -> Tensor:
        """Generate images from styles."""
        w = w.float()  # the few numbers that steer all others are not in bf16
        x = self.input(w[:, 0])
        for layer, style in zip(self.layers(), w.unbind(1)[1:], strict=True):
            x = layer(x, style)
        return x * OUTPUT_SCALE

    @torch.no_grad()
    def follow_magnitudes(self, images: int) -> None:
        """Let the running magnitudes follow those in the fakes that D has seen in a turn, `images` in all processes."""
        layers = list(self.layers())
        seen = dist.mean_over_ranks(torch.stack([layer.seen for layer in layers]))
        kept = 0.5 ** (images / MAGNITUDE_IMAGES)
        for layer, (total, count) in zip(layers, seen):
            new = torch.lerp(total / count.clamp(min=1e-8), layer.magnitude_ema, kept)
            layer.magnitude_ema.copy_(torch.where(count > 0, new, layer.magnitude_ema))
            layer.seen.zero_()


class Input(nn.Module):
    """Waves in the plane, which each style rotates and shifts (Karras et al. 2021, section 3.2 and appendix F)."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, band: Band, w_dim: int) -> None:
        super().__init__()
        self.band, channels = band, band.channels
        freqs = torch.randn(channels, 2)
        radii = freqs.square().sum(1, keepdim=True).sqrt()
        freqs = freqs / (radii * radii.square().exp().pow(0.25)) * band.cutoff  # all within the band
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = EqualisedLinear(w_dim, 4)
        with torch.no_grad():
            self.affine.weight.zero_()
            assert self.affine.bias is not None
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))  # no rotation, no shift
        self.register_buffer("transform", torch.eye(3))  # of the whole image, by the user
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(self, w: Tensor) -> Tensor:
        """(N, W) -> (N, C, H, W)."""
        with full_precision(w.device):  # in bf16 a wave of 2 cycles would be off by a pixel in 128
            return self._waves(w)

    def _waves(self, w: Tensor) -> Tensor:
        turned = _motion(self.affine(w)) @ self.transform
        phases = self.phases + (self.freqs @ turned[:, :2, 2:]).squeeze(2)
        freqs = self.freqs @ turned[:, :2, :2]  # (N, C, 2)
        band = self.band
        above = (freqs.norm(dim=2) - band.cutoff) / (band.rate / 2 - band.cutoff)  # what the grid cannot hold fades
        waves = (
            torch.sin(2 * math.pi * (self._places() @ freqs.mT + phases[:, None])) * (1 - above).clamp(0, 1)[:, None]
        )
        mixed = waves @ (self.weight / math.sqrt(band.channels)).T
        return mixed.unflatten(1, band.size).permute(0, 3, 1, 2)

    def _places(self) -> Tensor:
        """Return the coordinates (x, y) of the points, (H * W, 2), in images from its centre."""
        size, rate, like = self.band.size, self.band.rate, self.freqs
        y, x = ((torch.arange(n, device=like.device, dtype=like.dtype) - (n - 1) / 2) / rate for n in size)
        return torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], 2).flatten(0, 1)


def _motion(t: Tensor) -> Tensor:
    """Return the matrices (N, 3, 3) that shift by the last two of (N, 4) and rotate by the direction of the first."""
    cos, sin, x, y = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(1)
    none, one = torch.zeros_like(x), torch.ones_like(x)
    rotation = torch.stack([cos, -sin, none, sin, cos, none, none, none, one], 1).unflatten(1, (3, 3))
    shift = torch.stack([one, none, -x, none, one, -y, none, none, one], 1).unflatten(1, (3, 3))
    return rotation @ shift


class _Modulated(nn.Module):
    """A convolution whose inputs a style scales, of features brought to unit magnitude (section 3.2, appendix F)."""

    magnitude_ema: Tensor
    seen: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualisedLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.register_buffer("seen", torch.zeros(2), persistent=False)  # of this turn: sum of magnitudes, how many

    def factors(self, x: Tensor, style: Tensor) -> Tensor:
        """Return what to scale features by (N, C): a style (N, C), and to unit magnitude; note theirs in training."""
        if self.training and not torch.is_grad_enabled():  # the fakes that D sees, as the authors do
            magnitude = x.detach().float().square().mean()
            self.seen += torch.stack([magnitude, torch.ones_like(magnitude)])
        return style * self.magnitude_ema.rsqrt()


class Layer(_Modulated):
    """A modulated convolution and a filtered leaky ReLU, from one band to the next."""

    up_filter: Tensor
    down_filter: Tensor

    def __init__(self, old: Band, new: Band, shape: Shape, critical: bool) -> None:
        super().__init__(old.channels, new.channels, shape.kernel, shape.w_dim)
        rate = 2 * max(old.rate, new.rate)  # of the nonlinearity
        self.up, self.down = rate // old.rate, rate // new.rate
        up_taps, down_taps = TAPS * self.up, TAPS * self.down
        design = radial_lowpass if shape.radial and not critical else lowpass
        self.register_buffer("up_filter", lowpass(up_taps, old.cutoff, 2 * old.half_width, rate))
        self.register_buffer("down_filter", design(down_taps, new.cutoff, 2 * new.half_width, rate))
        self.pad = shape.kernel - 1
        height, width = (self._spare(*sides, up_taps, down_taps) for sides in zip(old.size, new.size))
        self.crop = height // 2, width // 2

    def _spare(self, old: int, new: int, up_taps: int, down_taps: int) -> int:
        """Return how many points more the interpolated side has than the new one needs; it is even."""
        return (old + self.pad - 1) * self.up + up_taps - (new - 1) * self.down - down_taps

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, C, H, W) and (N, W) -> (N, outputs, H', W')."""
        weight = self.weight * self.weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
        with full_precision(w.device):
            style = self.affine(w)
            # this cancels in demodulation but for its 1e-8, so it may be done an image, not a batch as the authors do
            style = style * (style.square().mean(1, keepdim=True) + TINY).rsqrt()
        scale = demodulation(style, weight)[:, :, None, None]
        x = F.conv2d(x * self.factors(x, style).to(x.dtype)[:, :, None, None], weight, padding=self.pad)
        x = torch.addcmul(self.bias.to(x.dtype)[:, None, None], x, scale.to(x.dtype))
        return filtered_lrelu(x, self.up_filter, self.down_filter, self.up, self.down, self.crop, CLAMP)


class ToColours(_Modulated):
    """A modulated 1x1 convolution to the image's channels, not demodulated (Karras et al. 2020, figure 2)."""

    def __init__(self, old: Band, new: Band, shape: Shape) -> None:
        super().__init__(old.channels, new.channels, 1, shape.w_dim)
        self.scale = 1 / math.sqrt(old.channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, C, H, W) and (N, W) -> (N, colours, H, W)."""
        with full_precision(w.device):
            style = self.affine(w) * self.scale
        return projected(x, self.weight, self.factors(x, style), self.bias).float().clamp(-CLAMP, CLAMP)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Filter D's images (N, C, H, W) by 2^-(x / sigma)^2, sigma in pixels: at the start of config R (appendix G).

    From a third of a pixel down they stay as they are.
    """
    reach = int(3 * sigma)
    if not reach:
        return image
    reach = min(reach, max(image.shape[2:]) - 1)  # nothing is farther away than the other edge
    taps = torch.arange(-reach, reach + 1, device=image.device).div(sigma).square().neg().exp2()
    taps = taps / taps.sum()
    return gather(gather(image, taps[:, None], (1, 1), (reach, 0)), taps[None], (1, 1), (0, reach))
