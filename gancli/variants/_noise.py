"""The family that turns noise into images: one generator, one discriminator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli import losses
from gancli.data.images import Images
from gancli.data.spec import DataSpec
from gancli.gan import Clock, Turn
from gancli.hparams import AdamHParams, hparam
from gancli.nets import dcgan
from gancli.variants._latents import FromLatents, SizeHParams


@dataclass(frozen=True, kw_only=True)
class LatentHParams(SizeHParams):
    """What every member of the family can be told."""

    width: int = hparam(
        64, "channels at half the image's resolution; they double at each halving, up to 8 times", min=1
    )
    n_critic: int = hparam(1, "D turns for each G turn", min=1)


@dataclass(frozen=True, kw_only=True)
class NoiseHParams(LatentHParams, AdamHParams):
    """And most of them step with Adam."""


H = TypeVar("H", bound=LatentHParams)


class NoiseToImage(FromLatents[H]):
    """D every step, G every `n_critic` steps. A variant changes a loss, a network, a term or the order."""

    adversarial = losses.NONSATURATING

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G, self.D = self.generator(), self.discriminator()

    def generator(self) -> nn.Module:
        """Build G: (N, Z) -> (N, C, H, W)."""
        return dcgan.Generator(self.hp.z_dim, self.hp.width, self.spec)

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> logits (N,)."""
        return dcgan.Discriminator(self.hp.width, self.spec)

    def players(self) -> Mapping[str, Optimizer]:
        """Adam for both."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Goodfellow et al. 2014, Algorithm 1, with fresh noise for each turn."""
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        yield Turn("D", self.d_terms(batch.image, fake))
        if clock.every(self.hp.n_critic):
            yield Turn("G", self.g_terms(self.generate(self.prior(len(batch)))))

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """What D minimises. Reals and fakes go through it apart: a batch norm must not mix them."""
        return {"adversarial": self.adversarial.d(self.D(real), self.D(fake))}

    def g_terms(self, fake: Tensor) -> dict[str, Tensor]:
        """What G minimises."""
        return {"adversarial": self.adversarial.g(self.D(fake))}
