"""GANs whose settings change along a cosine over the first share of training, as those of R3GAN's authors do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.augmented import AugmentHParams, for_few
from gancli.families.noise import LatentHParams, NoiseToImage
from gancli.gan import Clock
from gancli.hparams import AdamHParams, hparam


@dataclass(frozen=True, kw_only=True)
class AnnealedHParams(AugmentHParams, LatentHParams, AdamHParams):
    """What changes; the half-life of the EMA grows from 0 to --ema-kimg."""

    gamma: float | None = hparam(
        None, "weight of the penalties R1 and R2, gamma in section 3.2; default: by resolution", min=0
    )
    anneal: float = hparam(0.2, "share of training in which the next four are reached, along a cosine", min=0, max=1)
    final_lr: float = hparam(0.25, "learning rate after that, as a share of --lr", min=0)
    final_gamma: float = hparam(0.1, "gamma after that, as a share of --gamma", min=0)
    final_beta2: float = hparam(0.99, "Adam's beta2 after that", min=0, max=0.99999)
    ada_p: float = hparam(0.3, "probability of each of ada's changes after that; it starts at 0", min=0, max=1)


H = TypeVar("H", bound=AnnealedHParams)


class Annealed(NoiseToImage[H]):
    """Learning rates, beta2, the weight of gradient penalties, augmentation, and the EMA's half-life change."""

    gamma: Tensor  # (), a buffer, so that a CUDA graph reads the current value

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.first_gamma = self.usual_gamma(spec) if hp.gamma is None else hp.gamma
        self.register_buffer("gamma", torch.tensor(self.first_gamma))

    @classmethod
    def few(cls, spec: DataSpec, epochs: float) -> Mapping[str, Any]:
        """Return the settings for few images, with ADA."""
        return for_few(spec, epochs, "ada")

    def usual_gamma(self, spec: DataSpec) -> float:
        """Return R3GAN's: .05 for CIFAR-10; 2 and 150 for FFHQ at 64 and 256 pixels, and the power law of both."""
        pixels = spec.height * spec.width
        return 0.05 if pixels <= 32 * 32 else 2 * (pixels / 64**2) ** math.log(75, 16)

    def annealed(self, clock: Clock) -> float:
        """Return how far the changes are, from 0 to 1: (1 - cos(pi t)) / 2 over the first share of training."""
        far = min(clock.progress / self.hp.anneal, 1.0) if self.hp.anneal else 1.0
        return (1 - math.cos(math.pi * far)) / 2

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Set gamma and the probability of augmentations, and return the optimisers' settings."""
        hp, far = self.hp, self.annealed(clock)
        if self.augmentation.ada:
            self.augmentation.ada.p.fill_(hp.ada_p * far)
        self.gamma.fill_(self.first_gamma * _between(1.0, hp.final_gamma, far))
        share = clock.falling(hp.decay) * _between(1.0, hp.final_lr, far)
        betas = hp.beta1, _between(hp.beta2, hp.final_beta2, far)
        return {"D": {"lr": share * hp.lr, "betas": betas}, "G": {"lr": share * self.g_lr, "betas": betas}}

    def augment_before(self) -> None:
        """Put nothing before D, which is called once for both sides: `seen` augments them."""

    def seen(self, x: Tensor, sides: int = 1) -> Tensor:
        """Return images as D is given them: augmented, each side of the game by itself, whichever processes hold it."""
        return torch.cat([self.augmentation(side) for side in x.chunk(sides)]) if self.augmentation.changes else x

    def ema_half_life(self, clock: Clock) -> float:
        """Return the half-life of the EMA of the weights, in images."""
        return self.hp.ema_kimg * 1000 * self.annealed(clock)


def _between(first: float, last: float, far: float) -> float:
    return first + (last - first) * far
