"""What translators share, whatever ties their domains: hyperparameters, the schedule, and what suits small images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.gan import GAN, Clock
from gancli.hparams import AdamHParams, HParams, hparam


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


@dataclass(frozen=True, kw_only=True)
class ResnetHParams(TranslatorAdamHParams):
    """Of those that translate with residual networks."""

    blocks: int = hparam(3, "residual blocks; 6 for 128 pixels, 9 for 256 in the papers", min=0, max=24)
    down: int = hparam(2, "how often translators halve the image before the blocks; 2 in the papers", min=0, max=4)


SMALL = 32  # pixels a side; a quarter of them holds too little, and of 70x70 patches most would be padding
H = TypeVar("H", bound=TranslatorHParams)


class Translator(GAN[H]):
    """Its players are D and G, whose learning rates fall together."""

    builtin = "shapes-domains"
    multiple: int  # what the sides of an image must be multiples of
    on_small: ClassVar[Mapping[str, Any]] = {}  # what suits images of SMALL pixels and fewer

    @classmethod
    def suited(cls, spec: DataSpec) -> Mapping[str, Any]:
        """For small images, on machines that may be: networks that do not shrink them away, and larger steps."""
        return cls.on_small if max(spec.height, spec.width) <= SMALL else {}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Keep the learning rate constant, then let it fall to zero (Zhu et al. 2017, section 4)."""
        left, decay = 1 - clock.progress, self.hp.decay
        lr = self.hp.lr * min(1.0, left / decay) if decay else self.hp.lr
        return {"D": {"lr": lr}, "G": {"lr": lr}}


def halves(network: nn.Module, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Send two batches through a network in one go; it must treat each image on its own."""
    one, other = network(torch.cat([first, second])).float().chunk(2)
    return one, other
