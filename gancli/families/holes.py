"""Inpainting GANs, which fill holes in images: an encoder, a bottleneck, a decoder, and a discriminator."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

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
    """Hyperparameters of every variant of the family."""

    kimg: float = 5000.0
    width: int = hparam(
        64, "channels at half the image's resolution; they double at each halving, up to 8 times", min=1
    )
    bottleneck: int = hparam(512, "size of the code between encoder and decoder; each unit sees the whole image", min=1)
    holes: Literal["centre", "square", "blocks", "region"] = hparam(
        "centre", "holes in training: the centre, a square anywhere, several blocks, or smooth regions"
    )


@dataclass(frozen=True, kw_only=True)
class SquareHParams(HoleHParams):
    """The same, with a square hole at a random position."""

    holes: Literal["centre", "square", "blocks", "region"] = "square"


H = TypeVar("H", bound=HoleHParams)


class FillsHoles(GAN[H]):
    """G sees the image with the hole in its mean colour, and the mask, because the hole can have any shape."""

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

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset."""
        del spec
        return {"width": 32, "kimg": 50.0}

    def discriminator(self) -> dcgan.Discriminator:
        """Build D: (N, C, H, W) -> logits (N,)."""
        return dcgan.Discriminator(self.hp.width, self.spec)

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam for each."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def hole(self, image: Tensor) -> Tensor:
        """Sample masks (N, 1, H, W) for images."""
        return masks.HOLES[self.hp.holes](image)

    def draw(self, image: Tensor, mask: Tensor) -> Tensor:
        """Generate whole images from images with holes."""
        return self.G(torch.cat([masks.blank(image, mask), mask], 1)).float()

    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the holes, and keep all other pixels."""
        return masks.paste(image, mask, self.draw(image, mask))

    def fakes(self, batch: Images) -> Tensor:
        """Fill new random holes in the batch."""
        return self.fill(batch.image, self.hole(batch.image))

    def panels(self, batch: Images) -> list[Tensor]:
        """Return the images with holes, the filled images, and the originals."""
        mask = self.hole(batch.image)
        return [masks.blank(batch.image, mask), self.fill(batch.image, mask), batch.image]

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel."""
        return "hole", "filled", "original"
