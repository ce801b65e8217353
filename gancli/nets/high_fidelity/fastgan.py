"""The networks of FastGAN: Liu et al. 2021, "Towards Faster and Stabilized GAN Training", arXiv:2101.04775, section 3.

G's coarse maps excite channels of fine ones, past the layers between (skip-layer excitation); D's maps must be enough
to rebuild the image. All layers but decoders are under spectral normalisation, as in the authors' code.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets import dcgan
from gancli.nets.layers import spectral
from gancli.nets.layers.noise import maps_like
from gancli.nets.layers.norms import BatchNorm2d
from gancli.system import dist

SHARES = (16, 8, 4, 2, 2, 1, 0.5, 0.25, 0.125)  # of the width: channels from 4 pixels on, at each doubling
FINEST = 5  # doublings after 4 pixels: what decoders rebuild has 128 at most
SLOPE = 0.2


def channels(width: int, level: int) -> int:
    """Return the channels after `level` doublings."""
    return max(int(width * SHARES[min(level, len(SHARES) - 1)]), 1)


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride, padding, bias=False)


class Excitation(nn.Module):
    """Weigh the channels of a fine map by what a coarse one shows (eq. 2)."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), _convolution(coarse, fine, 4, padding=0), nn.SiLU(),
            _convolution(fine, fine, 1, padding=0), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(N, C, h, w) and (N, D, H, W) -> (N, D, H, W)."""
        return fine * self.net(coarse)


class Noise(nn.Module):
    """Add noise of a learned strength; outside of training always the same, so that a latent is one image."""

    fixed: Tensor  # (1, 1, H, W)

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(1))
        self.register_buffer("fixed", torch.randn(1, 1, height, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), unchanged in shape."""
        return x + self.strength * (maps_like(self.fixed, len(x)) if self.training else self.fixed)


def _gated(before: int, after: int) -> list[nn.Module]:
    return [_convolution(before, 2 * after), BatchNorm2d(2 * after), nn.GLU(1)]


def _up(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2), *_gated(before, after))


def _up_noisy(before: int, after: int, size: tuple[int, int]) -> nn.Sequential:
    """Double with two convolutions, each followed by noise."""
    (first, *rest), (second, *others) = _gated(before, after), _gated(after, after)
    return nn.Sequential(nn.Upsample(scale_factor=2), first, Noise(*size), *rest, second, Noise(*size), *others)


class Generator(nn.Module):
    """Latents (N, Z) -> images (N, C, H, W) in [-1, 1]; maps excite those `skip` doublings later."""

    def __init__(self, z_dim: int, width: int, spec: DataSpec, skip: int = 4) -> None:
        super().__init__()
        count, self.skip = dcgan.stages(spec), skip
        self.coarsest = spec.height >> count, spec.width >> count
        sizes = [channels(width, level) for level in range(count + 1)]
        self.start = nn.Linear(z_dim, 2 * sizes[0] * self.coarsest[0] * self.coarsest[1], bias=False)
        self.gate = nn.Sequential(BatchNorm2d(2 * sizes[0]), nn.GLU(1))
        self.ups = nn.ModuleList(
            _up_noisy(sizes[i - 1], sizes[i], (self.coarsest[0] << i, self.coarsest[1] << i))
            if i % 2
            else _up(sizes[i - 1], sizes[i])
            for i in range(1, count + 1)
        )
        self.excitations = nn.ModuleList(Excitation(sizes[i - skip], sizes[i]) for i in range(skip, count + 1))
        self.image = _convolution(sizes[-1], spec.channels)
        spectral.normalise(self.apply(dcgan.initialise))

    def forward(self, z: Tensor) -> Tensor:
        """Generate images."""
        maps = [self.gate(self.start(z).unflatten(1, (-1, *self.coarsest)))]
        for level, up in enumerate(self.ups, 1):
            x = up(maps[-1])
            if level >= self.skip:
                x = self.excitations[level - self.skip](maps[level - self.skip], x)
            maps.append(x)
        return torch.tanh(self.image(maps[-1]))


class Down(nn.Module):
    """Halve the sides: the mean of a strided branch and a pooled one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        relu = nn.LeakyReLU(SLOPE)
        self.main = nn.Sequential(
            _convolution(before, after, 4, 2),
            BatchNorm2d(after),
            relu,
            _convolution(after, after),
            BatchNorm2d(after),
            relu,
        )
        pooled = _convolution(before, after, 1, padding=0)
        self.direct = nn.Sequential(nn.AvgPool2d(2), pooled, BatchNorm2d(after), relu)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 2H, 2W) -> (N, D, H, W)."""
        return (self.main(x) + self.direct(x)) / 2


class Decoder(nn.Sequential):
    """Rebuild an image from a map, doubling it some times."""

    def __init__(self, before: int, width: int, doublings: int, out: int) -> None:
        sizes = [before, *(channels(width // 2 or 1, level + 2) for level in range(doublings))]
        ups = [_up(a, b) for a, b in pairwise(sizes)]
        super().__init__(*ups, _convolution(sizes[-1], out), nn.Tanh())


class Discriminator(nn.Module):
    """Images (N, C, H, W) -> logits (N, P) of P parts: D sees the image and, from 32 pixels on, also half its size."""

    def __init__(self, width: int, spec: DataSpec, skip: int = 4) -> None:
        super().__init__()
        count, self.skip = dcgan.stages(spec), max(skip - 1, 1)
        relu = nn.LeakyReLU(SLOPE)
        sizes = [channels(width, level + 1) for level in range(count, 0, -1)]  # from the finest to 8 pixels
        # without the biases of first layers D would be blind to contrast
        self.first = nn.Sequential(nn.Conv2d(spec.channels, sizes[0], 3, 1, 1), relu)
        self.downs = nn.ModuleList(Down(a, b) for a, b in pairwise(sizes))
        self.excitations = nn.ModuleList(Excitation(a, b) for a, b in zip(sizes, sizes[self.skip :]))
        last = channels(width, 1)
        self.head = nn.Sequential(
            _convolution(sizes[-1], last, 1, padding=0), BatchNorm2d(last), relu, _convolution(last, 1, 4, padding=0)
        )
        self.small = self._small(width, count, spec.channels) if count > 2 else None
        spectral.normalise(self.apply(dcgan.initialise))
        self.whole = Decoder(sizes[-1], width, min(count, FINEST) - 1, spec.channels).apply(dcgan.initialise)
        self.part = None
        if count > 1:
            self.part = Decoder(sizes[-2], width, min(count - 1, FINEST) - 1, spec.channels).apply(dcgan.initialise)

    @staticmethod
    def _small(width: int, count: int, colours: int) -> nn.Sequential:
        """Build what judges the image at half its size, down to 8 pixels."""
        sizes = [channels(width, level + 1) for level in range(count - 2, 0, -1)]
        layers: list[nn.Module] = [nn.Conv2d(colours, sizes[0], 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for a, b in pairwise(sizes):
            layers += [_convolution(a, b, 4, 2), BatchNorm2d(b), nn.LeakyReLU(SLOPE)]
        return nn.Sequential(nn.AvgPool2d(2), *layers, _convolution(sizes[-1], 1, 4, padding=0))

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the maps of an image, from the finest to 8 pixels."""
        found = [self.first(x)]
        for i, down in enumerate(self.downs, 1):
            x = down(found[-1])
            found.append(self.excitations[i - self.skip](found[i - self.skip], x) if i >= self.skip else x)
        return found

    def judged(self, x: Tensor, maps: list[Tensor]) -> Tensor:
        """Return the logits (N, P) of images with these maps."""
        parts = [self.head(maps[-1]), *([self.small(x)] if self.small else [])]
        return torch.cat([part.flatten(1) for part in parts], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Judge images."""
        return self.judged(x, self.maps(x))

    def rebuilt(self, x: Tensor, maps: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Return rebuilt images and what they should be: the whole from the last map, a quarter from the one before."""
        pairs = [(self.whole(maps[-1]), x)]
        if self.part:
            which = dist.common(lambda: torch.randint(4, (1,), device=x.device))
            pairs.append((self.part(_quarter(maps[-2], which)), _quarter(x, which)))
        return [(y, F.interpolate(target, y.shape[2:], mode="area")) for y, target in pairs]


def _quarter(x: Tensor, which: Tensor) -> Tensor:
    """Cut one of the four quarters out of each image, the same one."""
    rows = [part for half in x.chunk(2, 2) for part in half.chunk(2, 3)]
    return torch.stack(rows).index_select(0, which)[0]
