"""Ways for a label to enter the networks of DCGAN. Labels y (N, K) are one-hot rows, or mixtures of them."""

import dataclasses

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets import dcgan
from gancli.nets.dcgan import Norm
from gancli.nets.layers.norms import BatchNorm2d


class HadamardGenerator(nn.Module):
    """A label scales the noise, a factor a latent axis: (N, z_dim + K) -> images."""

    def __init__(self, z_dim: int, classes: int, net: dcgan.Generator) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.embed = nn.Linear(classes, z_dim, bias=False)
        nn.init.normal_(self.embed.weight)
        self.net = net

    def forward(self, z: Tensor) -> Tensor:
        """Draw images from latents that end in labels."""
        noise, y = z.tensor_split([self.z_dim], 1)
        return self.net(noise * self.embed(y))


class Concat(nn.Module):
    """A label is laid beside the image, as one constant map a class (Mirza and Osindero 2014, section 3.2)."""

    def __init__(self, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d) -> None:
        super().__init__()
        wider = dataclasses.replace(spec, channels=spec.channels + len(spec.classes))
        self.net = dcgan.Discriminator(width, wider, norm)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge images (N, C, H, W) with their labels (N, K): logits (N,)."""
        maps = y[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.net(torch.cat([x, maps], 1))


class Hadamard(nn.Module):
    """A label scales the last features, a factor a channel; the pixels are left alone."""

    def __init__(self, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d) -> None:
        super().__init__()
        self.net = dcgan.Discriminator(width, spec, norm)
        self.embed = nn.Linear(len(spec.classes), self.net.head.in_channels, bias=False)
        nn.init.normal_(self.embed.weight, 1.0, 0.02)  # about 1: a factor near 0 would switch its feature off

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge images with their labels."""
        scaled = self.net.trunk(x) * self.embed(y)[:, :, None, None]
        return self.net.head(scaled).flatten()


class TwoNets(nn.Module):
    """One network scores how real the image is, another how well it matches the label; the scores add."""

    def __init__(self, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d) -> None:
        super().__init__()
        self.realness = dcgan.Discriminator(width, spec, norm)
        self.match = Concat(width, spec, norm)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge images with their labels."""
        return self.realness(x) + self.match(x, y)


class Projection(nn.Module):
    """The label is projected on the summed features: Miyato and Koyama 2018, arXiv:1802.05637, eq. 4."""

    def __init__(self, width: int, spec: DataSpec, norm: Norm | None = BatchNorm2d) -> None:
        super().__init__()
        self.net = dcgan.Discriminator(width, spec, norm)
        self.embed = nn.Linear(len(spec.classes), self.net.head.in_channels, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Judge images with their labels."""
        features = self.net.trunk(x)
        return self.net.head(features).flatten() + (self.embed(y) * features.sum((2, 3))).sum(1)
