"""The family that translates between two domains whose images are not matched: one network each way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.spec import DataSpec
from gancli.data.unpaired import Unpaired
from gancli.gan import GAN, Clock
from gancli.hparams import AdamHParams, HParams, hparam
from gancli.jitter import jitter
from gancli.nets.patchgan import PatchGAN


@dataclass(frozen=True, kw_only=True)
class TranslatorHParams(HParams):
    """What every translator can be told. Defaults are for small images on a CPU; help names the papers' values."""

    batch: int = 4
    kimg: float = 12.0
    ema_kimg: float = 1.0
    width: int = hparam(16, "channels of the first layer of every network; 64 in the papers", min=1)
    layers: int = hparam(3, "halvings in D: 3 judges 70x70 pixels, 2 judges 34, 1 judges 16", min=1, max=6)
    decay: float = hparam(0.5, "share of the training, at its end, over which lr falls to 0", min=0, max=1)
    enlarge: float = hparam(
        0.0, "images grow by this share before a random crop; 0.117 (286 to 256 pixels) in the papers", min=0, max=1
    )
    mirror: bool = hparam(False, "mirror every second image; the papers do")


@dataclass(frozen=True, kw_only=True)
class TranslatorAdamHParams(TranslatorHParams, AdamHParams):
    """And most of them step with Adam."""


H = TypeVar("H", bound=TranslatorHParams)


def decayed(hp: TranslatorHParams, clock: Clock) -> float:
    """The learning rate: constant, then linear to zero (Zhu et al. 2017, section 4)."""
    left = 1 - clock.progress
    return hp.lr * min(1.0, left / hp.decay) if hp.decay else hp.lr


class TwoWay(GAN[H]):
    """AB and BA, with a D for what each draws. A variant says what they play for."""

    data = Unpaired
    builtin = "shapes-domains"
    served = ("AB", "BA")
    directions = ("AB", "BA")
    multiple: int  # what the sides of an image must be multiples of

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.AB, self.BA = self.translator(), self.translator()
        self.DA, self.DB = self.discriminator(), self.discriminator()

    def translator(self) -> nn.Module:
        """Build a network from images to images (N, C, H, W)."""
        raise NotImplementedError

    def discriminator(self) -> nn.Module:
        """Build D: images (N, C, H, W) -> logits of patches."""
        return PatchGAN(self.hp.width, self.hp.layers, self.spec)

    def players(self) -> Mapping[str, Optimizer]:
        """Both translators are one player, both D's the other (Adam, unless a variant says otherwise)."""
        return {"G": self.adam(self.AB, self.BA), "D": self.adam(self.DA, self.DB)}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Learning rates fall towards the end."""
        lr = decayed(self.hp, clock)
        return {"G": {"lr": lr}, "D": {"lr": lr}}

    def cut(self, batch: Unpaired) -> tuple[Tensor, Tensor]:
        """Take random crops and mirror images of both domains, each its own."""
        (a,), (b,) = (jitter(x, enlarge=self.hp.enlarge, mirror=self.hp.mirror) for x in (batch.a, batch.b))
        return a, b

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Send images through one of the translators."""
        return (self.AB if direction == "AB" else self.BA)(image).float()

    def fakes(self, batch: Unpaired) -> Tensor:
        """What becomes of A's images."""
        return self.translate(batch.a, "AB")

    def panels(self, batch: Unpaired) -> list[Tensor]:
        """A, A as B, B, B as A."""
        return [batch.a, self.fakes(batch), batch.b, self.translate(batch.b, "BA")]


def halves(network: nn.Module, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Send two batches through a network in one go; it must treat each image on its own."""
    one, other = network(torch.cat([first, second])).float().chunk(2)
    return one, other
