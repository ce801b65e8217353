"""Layers of Salimans et al. 2016, arXiv:1606.03498, and a discriminator that shows its features."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets import dcgan, mlp
from gancli.nets.layers.norms import BatchNorm2d
from gancli.system import dist

KERNEL_SIZE = 5  # C in section 3.2, as in the authors' code


class MinibatchDiscrimination(nn.Module):
    """How near each image of a batch is to all others, by `kernels` measures: (N, A) -> (N, B) (section 3.2)."""

    mixes = "minibatch discrimination"

    def __init__(self, features: int, kernels: int) -> None:
        super().__init__()
        self.T = nn.Parameter(torch.randn(features, kernels, KERNEL_SIZE) / features**0.5)

    def forward(self, f: Tensor) -> Tensor:
        """Sum exp(-|M_i - M_j|_1) over the others: N - 1 for a batch of one image repeated, 0 for strangers."""
        M = torch.tensordot(f.float(), self.T.float(), 1)  # (N, B, C)
        nearness = torch.exp(-(M[:, None] - dist.all_rows_with_gradient(M)[None]).abs().sum(3))
        return nearness.sum(1) - 1  # without itself


class Discriminator(nn.Module):
    """Images (N, C, H, W) -> logits (N,), linear in the features of each image and its nearness to the others."""

    def __init__(
        self, width: int, units: list[int], spec: DataSpec, kernels: int, norm: dcgan.Norm | None = BatchNorm2d
    ) -> None:
        super().__init__()
        if spec.points:
            self.trunk = nn.Sequential(nn.Flatten(), mlp.Discriminator(units, spec).net[:-1])
            count = units[-1]
        else:
            judge = dcgan.Discriminator(width, spec, norm)
            self.trunk = nn.Sequential(judge.trunk, nn.Flatten())
            count = judge.head.weight[0].numel()
        self.minibatch = MinibatchDiscrimination(count, kernels) if kernels else None
        self.head = nn.Linear(count + kernels, 1)

    def features(self, x: Tensor) -> Tensor:
        """Read the features f(x), (N, A)."""
        return self.trunk(x)

    def alone(self, x: Tensor) -> Tensor:
        """Judge images one by one, with a nearness of 0 to all others."""
        f = self.features(x)
        return self.head(F.pad(f, (0, self.head.in_features - f.shape[1]))).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Judge images."""
        f = self.features(x)
        if self.minibatch is not None:
            f = torch.cat([f, self.minibatch(f).to(f.dtype)], 1)
        return self.head(f).squeeze(1)


class VirtualBatchNorm2d(nn.Module):
    """Normalise each image by the statistics of a reference batch and itself (section 3.5).

    The first `reference` rows of a batch are the reference batch, and the last are the images.
    """

    def __init__(self, channels: int, reference: int) -> None:
        super().__init__()
        self.reference = reference
        self.weight = nn.Parameter(1 + 0.02 * torch.randn(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (R + N, C, H, W); the reference rows by their own statistics alone."""
        given, n = x.float(), self.reference
        mean, square = given.mean((2, 3)), given.square().mean((2, 3))  # of each image, (R + N, C)
        known = torch.stack([mean[:n].mean(0), square[:n].mean(0)])[:, None]
        mixed = (known * n + torch.stack([mean[n:], square[n:]])) / (n + 1)
        mean, square = torch.cat([known.expand(-1, n, -1), mixed], 1)
        scale = self.weight * torch.rsqrt((square - mean.square()).clamp_min(0) + 1e-5)
        normal = (given - mean[:, :, None, None]) * scale[:, :, None, None] + self.bias[:, None, None]
        return normal.to(x.dtype)


class VirtualGenerator(nn.Module):
    """DCGAN's generator with virtual batch norm: its reference batch is drawn once, from N(0, I)."""

    reference: Tensor  # (R, Z)

    def __init__(self, z_dim: int, width: int, spec: DataSpec, reference: int, mapping: int) -> None:
        super().__init__()
        self.register_buffer("reference", torch.randn(reference, z_dim))
        self.G = dcgan.Generator(z_dim, width, spec, lambda channels: VirtualBatchNorm2d(channels, reference), mapping)

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from latents: what one is does not depend on the others."""
        return self.G(torch.cat([self.reference, z]))[len(self.reference) :]


class History(nn.Module):
    """The mean of a network's weights over all steps so far (section 3.3)."""

    steps: Tensor  # ()

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))
        for i, weight in enumerate(network.parameters()):
            self.register_buffer(f"mean{i}", weight.detach().clone())

    def distance(self, network: nn.Module) -> Tensor:
        """Square the distance of the weights from their mean."""
        means = [getattr(self, f"mean{i}") for i, _ in enumerate(network.parameters())]
        return torch.stack([(w - m).square().sum() for w, m in zip(network.parameters(), means)]).sum()

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Count the weights of now in."""
        self.steps.add_(1)
        for i, weight in enumerate(network.parameters()):
            mean = getattr(self, f"mean{i}")
            mean.add_((weight - mean) / (self.steps + 1))  # the initial weights are the first
