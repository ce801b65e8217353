"""The mapping network of StyleGAN: Karras et al. 2019, arXiv:1812.04948, section 2 and appendix C.

Parameters have the names and sizes of NVlabs' StyleGAN2-ADA and StyleGAN3.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.layers.equalised import GAIN, SLOPE, EqualisedLinear
from gancli.nets.layers.norms import PixelNorm
from gancli.system import dist
from gancli.system.devices import full_precision

SLOWER = 0.01  # the learning rate of the layers as a share of all others'
KEPT = 0.998  # of the mean of w per step, in StyleGAN2


class Mapping(nn.Module):
    """Fully connected layers from latents (N, z_dim + K), noise and a one-hot label, to styles w (N, w_dim).

    The noise and an embedding of the label are normalised apart. `w_avg` is the running mean of w, (w_dim,); with
    classes it is a row for each, (K, w_dim). Without noise (z_dim 0) it is what projection discriminators compare with.
    """

    w_avg: Tensor

    def __init__(self, z_dim: int, classes: int, w_dim: int, layers: int, kept: float | None = None) -> None:
        super().__init__()
        self.z_dim, self.layers, self.kept = z_dim, layers, KEPT if kept is None else kept
        self.norm = PixelNorm()
        self.embed = EqualisedLinear(classes, w_dim) if classes else None
        for i in range(layers):
            inputs = w_dim if i else z_dim + (w_dim if classes else 0)
            self.add_module(f"fc{i}", EqualisedLinear(inputs, w_dim, lr_multiplier=SLOWER))
        if z_dim:
            self.register_buffer("w_avg", torch.zeros((classes, w_dim) if classes else (w_dim,)))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, z_dim + K) to w (N, w_dim), in float32."""
        z, label = latent.float().tensor_split([self.z_dim], 1)
        with full_precision(latent.device):
            parts = [self.norm(z)] if self.z_dim else []
            if self.embed is not None:
                parts.append(self.norm(self.embed(label)))
            x = torch.cat(parts, 1)
            for i in range(self.layers):
                x = F.leaky_relu(cast(nn.Module, getattr(self, f"fc{i}"))(x), SLOPE) * GAIN
        return x

    def mean(self, latent: Tensor) -> Tensor:
        """Return the mean of w (N, w_dim) over all noise, for the class of each latent if there are classes."""
        if self.embed is None:
            return self.w_avg.expand(len(latent), -1)
        return self.w_avg[latent[:, self.z_dim :].argmax(1)]

    @torch.no_grad()
    def follow(self, latent: Tensor) -> None:
        """Let the mean of w follow the network, by latents of the prior that are the same on all processes."""
        w, label = self(latent), latent[:, self.z_dim :]
        label = label if self.embed is not None else torch.ones_like(w[:, :1])
        count = label.sum(0)[:, None]
        found = label.T @ w / count.clamp_min(1)
        rows = self.w_avg.view(len(count), -1)
        rows.lerp_(torch.where(count > 0, found, rows), 1 - self.kept)


def mixed(w: Tensor, other: Tensor, layers: int, chance: float) -> Tensor:
    """Give each image the styles w (N, W) in its first layers and others in its last: (N, L, W).

    Where they change is drawn for each image, uniformly; without `chance` they do not (section 3.1).
    """
    draws = dist.rows(lambda n: torch.rand(n, 2, device=w.device), len(w))
    first = 1 + (draws[:, :1] * (layers - 1)).floor()  # the first layer of the others, from 1 to L - 1
    own = torch.arange(layers, device=w.device) < torch.where(draws[:, 1:] < chance, first, layers)  # (N, L)
    return torch.where(own[:, :, None], w[:, None], other[:, None])
