"""The family whose images can be turned back into latents: a generator G and an encoder E."""

from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor, nn

from gancli.data.images import Images
from gancli.data.spec import DataSpec
from gancli.hparams import AdamHParams, hparam
from gancli.nets import mlp
from gancli.variants._latents import FromLatents, SizeHParams


@dataclass(frozen=True, kw_only=True)
class CodeHParams(SizeHParams, AdamHParams):
    """What all can be told that read codes off images."""


@dataclass(frozen=True, kw_only=True)
class AutoencoderHParams(CodeHParams):
    """Fully connected networks, as autoencoders on MNIST have them."""

    width: int = hparam(512, "units of each hidden layer", min=1)
    depth: int = hparam(2, "hidden layers of each network", min=1, max=8)

    @property
    def hidden(self) -> list[int]:
        """Units of the hidden layers."""
        return [self.width] * self.depth


H = TypeVar("H", bound=CodeHParams)
A = TypeVar("A", bound=AutoencoderHParams)


class Coded(FromLatents[H]):
    """G draws images from codes, E reads codes off images."""

    served = ("G", "E")
    E: nn.Module

    def encode(self, image: Tensor) -> Tensor:
        """Read codes (N, Z) off images."""
        return self.E(image).float()

    def panels(self, batch: Images) -> list[Tensor]:
        """Sources, what becomes of them by way of the code, and draws from the prior."""
        return [batch.image, self.generate(self.encode(batch.image)), self.fakes(batch)]


class Autoencoder(Coded[A]):
    """E and G are fully connected, mirror images of one another."""

    codes = 1  # numbers that E gives for each of the latent's

    def __init__(self, hp: A, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = mlp.Generator(hp.z_dim, hp.hidden, spec)
        self.E = mlp.Encoder(hp.z_dim * self.codes, hp.hidden, spec)
