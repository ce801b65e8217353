"""WGAN: Arjovsky et al. 2017, "Wasserstein GAN", arXiv:1701.07875."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.families.noise import DNorm, NetHParams, NoiseToImage
from gancli.hparams import hparam
from gancli.nets import dcgan
from gancli.nets.layers.norms import BatchNorm2d
from gancli.ops import losses
from gancli.optim import RMSprop


@dataclass(frozen=True, kw_only=True)
class HParams(NetHParams):
    """Algorithm 1. The authors' code also gives the critic 100 turns at first; the loop's rhythm here is even."""

    lr: float = 5e-5
    n_critic: int = 5
    kimg: float = 25000.0  # for as many G steps
    d_norm: DNorm = "none"  # as --d-norm batch, the authors' code has one
    clip: float = hparam(0.01, "the critic's weights are kept in [-clip, clip], c in Algorithm 1", min=0)


class WGAN(NoiseToImage[HParams]):
    """The critic estimates a distance; a box around its weights bounds its slope (section 3, Algorithm 1)."""

    purpose = "new images; a clipped Wasserstein critic"
    hparams = HParams
    adversarial = losses.WASSERSTEIN
    on_small: ClassVar = {
        "width": 32, "z_dim": 16, "mapping": 2, "d_norm": "batch", "batch": 32, "lr": 2e-4, "g_lr": 1e-3, "n_critic": 2,
        "kimg": 300.0, "decay": 0.4,
    }  # fmt: skip

    @property
    def d_norm(self) -> dcgan.Norm | None:
        """Return the norm of the critic's convolutions: a batch norm has no scale, which clipping would squeeze."""
        return partial(BatchNorm2d, affine=False) if self.hp.d_norm == "batch" else super().d_norm

    def players(self) -> Mapping[str, Optimizer]:
        """RMSprop: momentum makes this critic unstable (section 4.3)."""
        return {"D": RMSprop(self.D.parameters(), self.hp.lr), "G": RMSprop(self.G.parameters(), self.g_lr)}

    @torch.no_grad()
    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Clip after each turn of the critic (Algorithm 1, line 7), so that the bound holds whenever anyone looks."""
        super().moved(player, means)
        for weight in self.D.parameters() if player == "D" else ():
            weight.clamp_(-self.hp.clip, self.hp.clip)
