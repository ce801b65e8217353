"""The base of all translators, paired or unpaired: hyperparameters, schedule, and the quick preset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.gan import GAN, Clock
from gancli.hparams import AdamHParams, HParams, hparam
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class TranslatorHParams(HParams):
    """Hyperparameters of every translator. Defaults are CycleGAN's at 256 pixels: 200 epochs of some 1,000 images."""

    batch: int = 1
    kimg: float = 200.0
    ema_kimg: float = 1.0
    width: int = hparam(64, "channels of the first layer of every network", min=1)
    layers: int = hparam(
        3, "downsampling layers of D: 3 gives patches of 70x70 pixels, 2 gives 34, 1 gives 16", min=1, max=6
    )
    decay: float = hparam(0.5, "final share of training in which lr falls linearly to 0", min=0, max=1)
    enlarge: float = hparam(
        0.117, "enlarge images by this share before a random crop; 0.117 turns 256 pixels into 286", min=0, max=1
    )
    mirror: bool = hparam(True, "mirror half of the images at random")


@dataclass(frozen=True, kw_only=True)
class TranslatorAdamHParams(TranslatorHParams, AdamHParams):
    """The same, for translators trained with Adam."""


@dataclass(frozen=True, kw_only=True)
class ResnetHParams(TranslatorAdamHParams):
    """Hyperparameters of translators with residual networks."""

    blocks: int = hparam(9, "residual blocks; 9 for 256 pixels, 6 for 128", min=0, max=24)
    down: int = hparam(2, "downsampling steps before the residual blocks", min=0, max=4)


# minutes on a CPU, for images of some 64 pixels
QUICK: Mapping[str, Any] = {"batch": 4, "kimg": 12.0, "width": 16, "enlarge": 0.0, "mirror": False}
QUICK_RESNET: Mapping[str, Any] = {**QUICK, "blocks": 3}
SMALL = 32  # pixels per side; a quarter of it is too few, and most of a 70x70 patch would be padding
H = TypeVar("H", bound=TranslatorHParams)


class Translator(GAN[H]):
    """A translator with players D and G, whose learning rates fall together."""

    builtin = "shapes-domains"
    multiple: int  # height and width must be multiples of it
    quick: ClassVar[Mapping[str, Any]] = QUICK
    on_small: ClassVar[Mapping[str, Any]] = {}  # what changes in it for images of up to SMALL pixels

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset; small images get fewer downsampling layers and a higher learning rate."""
        return {**cls.quick, **(cls.on_small if max(spec.height, spec.width) <= SMALL else {})}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Keep the learning rate constant, then let it fall to zero (Zhu et al. 2017, section 4)."""
        lr = self.hp.lr * clock.falling(self.hp.decay)
        return {"D": {"lr": lr}, "G": {"lr": lr}}


def halves(network: nn.Module, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Run two batches through a network in one call; it must treat each image independently."""
    one, other = network(torch.cat([first, second])).float().chunk(2)
    return one, other


def told_apart(D: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Return the loss of a D that judges several scales: squares without a half, summed (UNIT's code)."""
    scales = (judged.chunk(2) for judged in D(torch.cat([real, fake])))
    return 2 * torch.stack([losses.LEAST_SQUARES.d(*halves) for halves in scales]).sum()


def fooled(D: nn.Module, fake: Tensor) -> Tensor:
    """Return the loss of who fools such a D."""
    return 2 * torch.stack([losses.LEAST_SQUARES.g(judged) for judged in D(fake)]).sum()
