"""Auto-encoders that serve as discriminators: the worse they reconstruct an image, the more it looks like a fake."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets import dcgan, mlp
from gancli.system import dist
from gancli.system.devices import full_precision


class AutoEncoder(nn.Module):
    """Images (N, C, H, W) -> their reconstruction, of the same shape, through a code (N, Z)."""

    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct images, in float32."""
        return self.decoder(self.encoder(x)).float()


def convolutional(code: int, width: int, spec: DataSpec, norm: dcgan.Norm | None) -> AutoEncoder:
    """Build DCGAN's two networks, head to tail (Zhao et al. 2017, section 4.3)."""
    judge = dcgan.Discriminator(width, spec, norm)
    side = spec.height >> dcgan.stages(spec), spec.width >> dcgan.stages(spec)
    head = nn.Conv2d(judge.head.in_channels, code, side).apply(dcgan.initialise if norm else dcgan.initialise_unnormed)
    return AutoEncoder(nn.Sequential(judge.trunk, head, nn.Flatten()), dcgan.Generator(code, width, spec, norm))


def connected(code: int, hidden: list[int], spec: DataSpec) -> AutoEncoder:
    """Build one of fully connected layers, for points."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise([spec.channels * spec.height * spec.width, *hidden, code]):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return AutoEncoder(nn.Sequential(*layers[:-1]), mlp.Generator(code, hidden, spec))


class Decoder(nn.Module):
    """Two convolutions a resolution, all of one width, then nearest neighbours (Berthelot et al. 2017, section 3.5)."""

    def __init__(self, code: int, width: int, spec: DataSpec, end: nn.Module) -> None:
        super().__init__()
        count = dcgan.stages(spec)
        self.start = width, spec.height >> count, spec.width >> count
        layers: list[nn.Module] = [nn.Linear(code, width * self.start[1] * self.start[2]), nn.Unflatten(1, self.start)]
        for level in range(count + 1):
            layers += [*([nn.Upsample(scale_factor=2)] if level else []), *_pair(width, width)]
        self.net = nn.Sequential(*layers, nn.Conv2d(width, spec.channels, 3, 1, 1), end).apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from codes."""
        return self.net(z)


class Encoder(nn.Module):
    """Two convolutions a resolution, wider by `width` at each halving; no norm anywhere (section 3.5)."""

    def __init__(self, code: int, width: int, spec: DataSpec) -> None:
        super().__init__()
        count = dcgan.stages(spec)
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, width, 3, 1, 1), nn.ELU()]
        for level in range(1, count + 1):
            layers += _pair(width * level, width * level)
            layers += [nn.Conv2d(width * level, width * (level + 1), 3, 2, 1), nn.ELU()]
        last = width * (count + 1)
        layers += [*_pair(last, last), nn.Flatten()]
        layers.append(nn.Linear(last * (spec.height >> count) * (spec.width >> count), code))
        self.net = nn.Sequential(*layers).apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Read codes off images."""
        return self.net(x)


def _initialise(module: nn.Module) -> None:
    """Glorot and Bengio's weights, as in the authors' framework: torch's own fade in so many layers without a norm."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)


def _pair(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, 1, 1), nn.ELU(), nn.Conv2d(after, after, 3, 1, 1), nn.ELU()]


def repelling(codes: Tensor) -> Tensor:
    """Mean squared cosine between different codes (N, Z): 0 orthogonal, 1 alike or opposite (EBGAN, eq. 4).

    Without the square, opposite codes would be rewarded.
    """
    S = nn.functional.normalize(dist.all_rows_with_gradient(codes.float()), dim=1)
    n = len(S)
    with full_precision(S.device):
        squares = (S @ S.T).square()
    return (squares.sum() - torch.diagonal(squares).sum()) / max(n * (n - 1), 1)
