"""The base of all GANs that generate images from z ~ N(0, I), however they are trained."""

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.kinds.images import Images
from gancli.gan import GAN
from gancli.hparams import HParams, hparam
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class SizeHParams(HParams):
    """The size of the latent."""

    z_dim: int = hparam(100, "size of the latent z", min=1)


H = TypeVar("H", bound=SizeHParams)


class FromLatents(GAN[H]):
    """A generator G of latents of size `hp.z_dim`."""

    data = Images
    G: nn.Module

    def noise(self, n: int) -> Tensor:
        """Sample N(0, I), (n, z_dim): the whole latent, or its head if a variant appends labels or codes."""
        return dist.rows(lambda rows: torch.randn(rows, self.hp.z_dim, device=self.device), n)

    def prior(self, n: int) -> Tensor:
        """Sample z, (n, Z)."""
        return self.noise(n)

    def generate(self, z: Tensor) -> Tensor:
        """Generate images from latents, in float32 so that any network can use them."""
        return self.G(z).float()

    def fakes(self, batch: Any) -> Tensor:
        """Generate as many images as the batch has."""
        return self.generate(self.prior(len(batch)))


class FromLabels(FromLatents[H]):
    """Latents that end in a one-hot label, so that a class can be chosen for sampling; without classes, just noise."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes of the data."""
        return self.spec.classes

    @property
    def noise_axes(self) -> int:
        """Return the size of the noise, which the label follows."""
        return self.hp.z_dim

    def one_hot(self, label: Tensor) -> Tensor:
        """Encode labels (N,) as one-hot rows (N, K)."""
        return F.one_hot(label, len(self.classes)).float() if self.classes else label[:, None][:, :0].float()

    def labels(self, n: int) -> Tensor:
        """Sample uniform labels (n,)."""
        return dist.rows(lambda rows: torch.randint(len(self.classes), (rows,), device=self.device), n)

    def prior(self, n: int) -> Tensor:
        """Sample noise and a uniform label: (n, z_dim + K)."""
        noise = self.noise(n)
        return torch.cat([noise, self.one_hot(self.labels(n))], 1) if self.classes else noise

    def known(self, label: Tensor) -> Tensor:
        """Replace the labels (N,) that are unknown, -1, by uniform ones."""
        return torch.where(label < 0, self.labels(len(label)), label) if self.classes else label

    def of_class(self, z: Tensor, label: Tensor) -> Tensor:
        """Replace the labels of latents; the noise stays."""
        return torch.cat([z[:, : self.hp.z_dim], self.one_hot(label)], 1)

    def label_of(self, z: Tensor) -> Tensor:
        """Return the labels of latents; zeros without classes."""
        return z[:, self.hp.z_dim :].argmax(1) if self.classes else torch.zeros_like(z[:, 0], dtype=torch.int64)
