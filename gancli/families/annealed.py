"""GANs whose settings change along a cosine over the first share of training, as those of R3GAN's authors do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.families.noise import LatentHParams, NoiseToImage
from gancli.gan import Clock
from gancli.hparams import AdamHParams, hparam


@dataclass(frozen=True, kw_only=True)
class AnnealedHParams(LatentHParams, AdamHParams):
    """What changes; the EMA's half-life grows from 0 to --ema-kimg."""

    gamma: float | None = hparam(
        None, "weight of the penalties R1 and R2, gamma in section 3.2; default: by resolution", min=0
    )
    anneal: float = hparam(0.2, "share of training in which the next three are reached, along a cosine", min=0, max=1)
    final_lr: float = hparam(0.25, "learning rate after that, as a share of --lr", min=0)
    final_gamma: float = hparam(0.1, "gamma after that, as a share of --gamma", min=0)
    final_beta2: float = hparam(0.99, "Adam's beta2 after that", min=0, max=1)


H = TypeVar("H", bound=AnnealedHParams)


class Annealed(NoiseToImage[H]):
    """Learning rates, beta2, the weight gamma of gradient penalties, and the half-life of the EMA change."""

    gamma: Tensor  # (), a buffer, so that a CUDA graph reads the current value

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.first_gamma = self.usual_gamma(spec) if hp.gamma is None else hp.gamma
        self.register_buffer("gamma", torch.tensor(self.first_gamma))

    def usual_gamma(self, spec: DataSpec) -> float:
        """Return the gamma for data of this size."""
        raise NotImplementedError

    def annealed(self, clock: Clock) -> float:
        """Return how far the changes are, from 0 to 1: (1 - cos(pi t)) / 2 over the first share of training."""
        far = min(clock.progress / self.hp.anneal, 1.0) if self.hp.anneal else 1.0
        return (1 - math.cos(math.pi * far)) / 2

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Set gamma, and return the optimisers' settings."""
        hp, far = self.hp, self.annealed(clock)
        self.gamma.fill_(self.first_gamma * _between(1.0, hp.final_gamma, far))
        left = min(1.0, (1 - clock.progress) / hp.decay) if hp.decay else 1.0
        share, beta2 = left * _between(1.0, hp.final_lr, far), _between(hp.beta2, hp.final_beta2, far)
        betas = (hp.beta1, beta2)
        return {"D": {"lr": share * hp.lr, "betas": betas}, "G": {"lr": share * self.g_lr, "betas": betas}}

    def ema_half_life(self, clock: Clock) -> float:
        """Return the half-life of the EMA of the weights, in images."""
        return self.hp.ema_kimg * 1000 * self.annealed(clock)


def _between(first: float, last: float, far: float) -> float:
    return first + (last - first) * far
