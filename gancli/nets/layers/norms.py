"""Layers that the frameworks lack or that must differ here."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.system import dist

LARGE = 1 << 16  # values an image


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the whole batch, whichever processes hold it (Ioffe and Szegedy 2015, arXiv:1502.03167).

    torch's SyncBatchNorm needs a GPU; this one needs nothing, and differentiates twice.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W) by the statistics of the batch, or by the running ones in evaluation."""
        if not self.training or dist.world() == 1:
            return super().forward(input)
        x = input.float()
        count = x.numel() // x.shape[1] * dist.world()
        mean = dist.sum_with_gradient(x.sum((0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = dist.sum_with_gradient(centred.square().sum((0, 2, 3))) / count
        self._track(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            normal = normal * self.weight[:, None, None] + self.bias[:, None, None]
        return normal.to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
        self.num_batches_tracked.add_(1)


@contextmanager
def untracked(network: nn.Module) -> Iterator[None]:
    """Keep the running statistics of a network's batch norms as they are, whatever it sees within the block."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, before):
            norm.momentum = momentum


class BatchNorm1d(BatchNorm2d):
    """The same for features (N, C)."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C)."""
        return super().forward(input[:, :, None, None]).flatten(1)


class Sharing(nn.Module):
    """A layer that uses statistics of its whole input.

    While `shared` is a Statistics, it uses those for every input: the tiles of one image must agree.
    """

    shared: "Statistics | None" = None


class LayerNorm2d(Sharing, nn.GroupNorm):
    """Layer normalisation of feature maps: each image by its own statistics (Ba et al. 2016, arXiv:1607.06450)."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        if self.shared is None:
            return super().forward(input)
        mean, variance = self.shared.of(input, (0, 1, 2, 3))
        return (input - mean) * torch.rsqrt(variance + self.eps) * self.weight[:, None, None] + self.bias[:, None, None]


class InstanceNorm2d(Sharing):
    """Instance normalisation: each channel of an image by its statistics (Ulyanov et al. 2016, arXiv:1607.08022)."""

    def __init__(self, channels: int, affine: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        if self.shared is None:
            # Two things that are the same, and on a CPU faster than torch's instance norm: a batch norm an image, which
            # leaves channels last (four times as fast for large images), and a group a channel (twice)
            if _large(input):
                norm = (
                    F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps) for x in input.split(1)
                )
                return torch.cat(list(norm))
            return torch.group_norm(input.contiguous(), self.channels, self.weight, self.bias, self.eps)
        mean, variance = self.shared.of(input)
        x = (input - mean) * torch.rsqrt(variance + self.eps)
        if self.weight is None or self.bias is None:
            return x
        return x * self.weight[:, None, None] + self.bias[:, None, None]


def _large(x: Tensor) -> bool:
    last = x.is_contiguous(memory_format=torch.channels_last)
    return x.device.type == "cpu" and last and x[0].numel() >= LARGE


class Statistics:
    """Mean and variance of the first batch that a layer sees, for that one and all that follow."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}

    def of(self, x: Tensor, axes: tuple[int, ...] = (0, 2, 3), correction: int = 0) -> tuple[Tensor, Tensor]:
        """Return them, over these axes of x (N, C, H, W); they are of x if it is the first."""
        if axes not in self._found:
            variance, mean = torch.var_mean(x.float(), axes, correction=correction, keepdim=True)
            self._found[axes] = mean, variance
        return self._found[axes]


class PixelNorm(nn.Module):
    """Divide each pixel's features by their root mean square (Karras et al. 2018, arXiv:1710.10196, section 4.2).

    Features are on axis 1; a latent (N, Z) is one pixel.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over axis 1, in float32: the squares overflow in half."""
        return (x.float() * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt()).to(x.dtype)
