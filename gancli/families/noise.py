"""GANs that turn noise into images, with one generator and one discriminator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.latents import FromLatents, SizeHParams
from gancli.gan import Clock, Turn
from gancli.hparams import AdamHParams, hparam
from gancli.nets import dcgan, mlp
from gancli.nets.layers.norms import BatchNorm2d
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class LatentHParams(SizeHParams):
    """Hyperparameters of every variant of the family."""

    width: int = hparam(
        64,
        "channels at half the image's resolution; they double at each halving, up to 8 times; "
        "for points: half the units of each of the three hidden layers",
        min=1,
    )
    n_critic: int = hparam(1, "D updates per G update", min=1)

    @property
    def units(self) -> list[int]:
        """Return the units of each hidden layer in networks for points."""
        return [2 * self.width] * 3


@dataclass(frozen=True, kw_only=True)
class NoiseHParams(LatentHParams, AdamHParams):
    """The same, for variants trained with Adam."""


SMALL = 32  # pixels per side
# for such images, which the papers hardly cover: many small steps, in minutes on one core
ON_SMALL: Mapping[str, Any] = {"width": 32, "batch": 32, "kimg": 60.0, "lr": 1e-3, "beta1": 0.0, "beta2": 0.99}
H = TypeVar("H", bound=LatentHParams)


class NoiseToImage(FromLatents[H]):
    """D plays every step, G every `n_critic` steps. A variant changes a loss, a network, a term or the order."""

    adversarial = losses.NONSATURATING
    judges: ClassVar[tuple[str, ...]] = ("D",)
    on_points: ClassVar[Mapping[str, Any]] = {"batch": 256, "kimg": 600, "lr": 1e-3}
    one_call: ClassVar[bool] = False  # True if D treats each image of a batch independently
    on_small: ClassVar[Mapping[str, Any]] = ON_SMALL
    d_norm: ClassVar[type[nn.Module]] = BatchNorm2d  # of D's convolutions

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G, self.D = self.generator(), self.discriminator()

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return a preset: for points many cheap steps, for small images narrower networks."""
        small = cls.on_small if max(spec.height, spec.width) <= SMALL else {}
        return cls.on_points if spec.points else small

    def generator(self) -> nn.Module:
        """Build G: (N, Z) -> (N, C, H, W)."""
        if self.spec.points:
            return mlp.Generator(self.hp.z_dim, self.hp.units, self.spec)
        return dcgan.Generator(self.hp.z_dim, self.hp.width, self.spec)

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> logits (N,)."""
        if self.spec.points:
            return mlp.Discriminator(self.hp.units, self.spec)
        return dcgan.Discriminator(self.hp.width, self.spec, self.d_norm)

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam for each."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Play Algorithm 1 of Goodfellow et al. 2014, with new noise for each turn."""
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        yield Turn("D", self.d_terms(batch.image, fake))
        if clock.every(self.hp.n_critic):
            yield Turn("G", self.g_objective(batch))

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss terms of D."""
        return {"adversarial": self.adversarial.d(*self.judge_both(real, fake))}

    def judge_both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both: separately if a batch norm would mix them, else in one call, which is faster."""
        if not self.one_call:
            return self.D(real), self.D(fake)
        logits = self.D(torch.cat([real, fake]))
        return logits[: len(real)], logits[len(real) :]

    def g_objective(self, batch: Images) -> dict[str, Tensor]:
        """Return G's loss terms on new fakes; override it if G's loss also uses real images."""
        return self.g_terms(self.generate(self.prior(len(batch))))

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Return how real D takes each image for, (N,); override it if D gives anything but one logit an image."""
        del z
        return self.D(image)

    def g_terms(self, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss terms of G."""
        return {"adversarial": self.adversarial.g(self.D(fake))}
