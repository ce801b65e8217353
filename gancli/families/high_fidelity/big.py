"""What BigGAN and BigGAN-deep share: Brock et al. 2019, arXiv:1809.11096."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from gancli.errors import UserError
from gancli.families.high_fidelity.projection import ProjectionHParams
from gancli.families.latents import FromLatents
from gancli.hparams import hparam
from gancli.nets.high_fidelity import resnet_gan
from gancli.nets.layers import spectral, statistics
from gancli.system.seeds import aside

LARGEST = 2.0  # truncation beyond it changes hardly anything
BATCHES, ROWS = 64, 16  # of latents, to measure statistics


@dataclass(frozen=True, kw_only=True)
class BigHParams(ProjectionHParams):
    """The paper's setting for ImageNet at 128 pixels (section 3 and appendix C): 150,000 G steps."""

    embedding: int = hparam(128, "size of the class embedding that all layers of G share", min=1)
    attention: int = 64
    orthogonal: float = 1e-4
    batch: int = 2048
    lr: float = 2e-4
    g_lr: float | None = 5e-5
    n_critic: int = 2
    kimg: float = 614400.0
    ema_kimg: float = 28400.0  # a decay of .9999 for each G step


H = TypeVar("H", bound=BigHParams)


class Big(FromLatents[H]):
    """Orthogonal initialisation, spectral norm in both networks, and truncation of the normal distribution of z."""

    truncates_by = "latents whose values are within T of 0"
    D: resnet_gan.Discriminator

    def normalise(self) -> None:
        """Initialise orthogonally, and put both networks under spectral norm, but not G's embedding of labels."""
        for network in (self.G, self.D):
            network.apply(resnet_gan.orthogonal)
        spectral.normalise(self.D)
        spectral.normalise(self.G, [self.G.get_submodule("codes")])

    def truncated(self, n: int, truncation: float) -> Tensor:
        """Sample latents (n, Z) whose noise is within the truncation (section 3.1); values within it stay.

        The others are drawn again, from the distribution that repeated draws until they fit would have.
        """
        if not 0 < truncation <= LARGEST:
            raise UserError(f"--truncation {truncation} is not allowed: give a number above 0, up to {LARGEST:g}")
        noise, label = self.prior(n).tensor_split([self.hp.z_dim], 1)
        uniform = torch.rand(noise.shape, device=noise.device) * 2 - 1
        inside = torch.erf(torch.tensor(truncation / 2**0.5, device=noise.device))  # the mass within
        again = (torch.erfinv(uniform * inside) * 2**0.5).clamp(-truncation, truncation)
        return torch.cat([torch.where(noise.abs() <= truncation, noise, again), label], 1)

    def prepared(self, truncation: float) -> dict[str, Tensor]:
        """Measure standing statistics of G's batch norms, over latents of this truncation (section 4.1)."""
        batches = [self._batch(i, truncation) for i in range(BATCHES)]
        return {f"G.{name}": value for name, value in statistics.standing(self.G, batches).items()}

    def _batch(self, i: int, truncation: float) -> Tensor:
        with aside("standing statistics", i):
            return self.truncated(ROWS, truncation)
