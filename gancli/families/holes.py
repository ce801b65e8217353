"""The family that draws what is missing from an image: an encoder, a bottleneck, a decoder, and what judges them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.gan import GAN
from gancli.hparams import AdamHParams, hparam
from gancli.nets import dcgan
from gancli.ops import losses, masks


@dataclass(frozen=True, kw_only=True)
class HoleHParams(AdamHParams):
    """What every member of the family can be told."""

    kimg: float = 50
    width: int = hparam(
        32, "channels at half the image's resolution; they double at each halving, up to 8 times", min=1
    )
    bottleneck: int = hparam(512, "numbers between encoder and decoder, each of which sees the whole image", min=1)
    holes: Literal["centre", "square", "blocks", "region"] = hparam(
        "centre", "hidden in training: the middle, a square anywhere, several blocks, or smooth shapes"
    )


@dataclass(frozen=True, kw_only=True)
class SquareHParams(HoleHParams):
    """The hole moves about."""

    holes: Literal["centre", "square", "blocks", "region"] = "square"


H = TypeVar("H", bound=HoleHParams)


class FillsHoles(GAN[H]):
    """G sees the image with a hole of its mean colour, and is told where: images of four kinds of hole look alike."""

    data = Images
    adversarial = losses.NONSATURATING

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        told = dataclasses.replace(spec, channels=spec.channels + 1)
        self.G = nn.Sequential(
            dcgan.Encoder(hp.bottleneck, hp.width, told),
            nn.LeakyReLU(0.2),
            dcgan.Generator(hp.bottleneck, hp.width, spec),
        )
        self.D = self.discriminator()

    def discriminator(self) -> dcgan.Discriminator:
        """Build D: (N, C, H, W) -> logits (N,)."""
        return dcgan.Discriminator(self.hp.width, self.spec)

    def players(self) -> Mapping[str, Optimizer]:
        """Adam for both."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def hole(self, image: Tensor) -> Tensor:
        """Draw masks (N, 1, H, W) for images."""
        return masks.HOLES[self.hp.holes](image)

    def draw(self, image: Tensor, mask: Tensor) -> Tensor:
        """Draw whole images from what is left of them."""
        return self.G(torch.cat([masks.blank(image, mask), mask], 1)).float()

    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """Draw what is missing, and nothing else."""
        return masks.paste(image, mask, self.draw(image, mask))

    def fakes(self, batch: Images) -> Tensor:
        """The batch, with fresh holes filled."""
        return self.fill(batch.image, self.hole(batch.image))

    def panels(self, batch: Images) -> list[Tensor]:
        """What is left of the images, what they are filled with, and what they were."""
        mask = self.hole(batch.image)
        return [masks.blank(batch.image, mask), self.fill(batch.image, mask), batch.image]
