"""GANs that turn noise into images, with one generator and one discriminator."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.augmented import DiffAugmentHParams, augmentation, for_few
from gancli.families.latents import FromLatents, SizeHParams
from gancli.gan import Clock, Turn, mixing
from gancli.hparams import AdamHParams, DecayHParams, hparam
from gancli.nets import dcgan, mlp
from gancli.nets.layers import spectral
from gancli.ops import losses, penalties


@dataclass(frozen=True, kw_only=True)
class LatentHParams(SizeHParams, DecayHParams):
    """Hyperparameters of every variant of the family."""

    kimg: float = 5000.0  # as long as a paper's: 40,000 G steps of 128 images
    width: int = hparam(
        64,
        "channels at half the image's resolution; they double at each halving, up to 8 times; "
        "for points: half the units of each of the three hidden layers",
        min=1,
    )
    n_critic: int = hparam(1, "D updates per G update", min=1)
    g_lr: float | None = hparam(None, "learning rate of G; default: --lr", min=0)

    @property
    def units(self) -> list[int]:
        """Return the units of each hidden layer in networks for points."""
        return [2 * self.width] * 3


@dataclass(frozen=True, kw_only=True)
class SlopeHParams(SizeHParams):
    """Penalties on D's slope, for variants whose D does not have one of its own."""

    r1: float = hparam(0.0, "weight of D's squared slope at real images (Mescheder et al. 2018, eq. 9)", min=0)
    r2: float = hparam(0.0, "weight of D's squared slope at fakes (Mescheder et al. 2018, eq. 10)", min=0)
    penalty_every: int = hparam(
        4, "steps between those penalties, whose weights grow by as much (Karras et al. 2020b, appendix B)", min=1
    )


@dataclass(frozen=True, kw_only=True)
class NoiseHParams(LatentHParams, SlopeHParams, DiffAugmentHParams, AdamHParams):
    """The same, for variants trained with Adam."""


DNorm = Literal["batch", "layer", "spectral", "none"]


@dataclass(frozen=True, kw_only=True)
class NetHParams(LatentHParams):
    """The same, for variants whose networks are DCGAN's."""

    d_norm: DNorm = hparam("batch", "norm of D's convolutions")
    g_norm: Literal["batch", "none"] = hparam("batch", "norm of G's convolutions")
    mapping: int = hparam(0, "fully connected layers between z and G's convolutions (Karras et al. 2019)", min=0)


@dataclass(frozen=True, kw_only=True)
class ConvHParams(NoiseHParams, NetHParams):
    """The same, for those of them that are trained with Adam."""


# many small steps, in minutes on a CPU; in a small latent space fewer samples fall between the modes
ON_SMALL: Mapping[str, Any] = {
    "width": 32, "z_dim": 16, "batch": 32, "kimg": 100.0, "lr": 1e-3, "beta1": 0.0, "beta2": 0.99
}  # fmt: skip
# without a norm D teaches G more, as long as its slope is penalised: docs/quick.md
ON_SMALL_CONV: Mapping[str, Any] = {**ON_SMALL, "kimg": 220.0, "decay": 0.4, "d_norm": "none", "r1": 1.0}
H = TypeVar("H", bound=LatentHParams)


class NoiseToImage(FromLatents[H]):
    """D plays every step, G every `n_critic` steps. A variant changes a loss, a network, a term or the order."""

    adversarial = losses.NONSATURATING
    judges: ClassVar[tuple[str, ...]] = ("D",)
    on_points: ClassVar[Mapping[str, Any]] = {"batch": 256, "kimg": 600, "lr": 1e-3}
    on_small: ClassVar[Mapping[str, Any]] = ON_SMALL_CONV

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G, self.D = self.generator(), self.discriminator()
        if getattr(hp, "d_norm", None) == "spectral":
            spectral.normalise(self.D)
        self.augmentation = augmentation(hp, spec)
        if self.augmentation.changes:
            self.augment_before()

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset, without options that the variant lacks: many cheap steps, narrow networks."""
        options = {field.name for field in dataclasses.fields(cls.hparams)}
        quick = cls.on_points if spec.points else cls.on_small
        return {name: value for name, value in quick.items() if name in options}

    @classmethod
    def few(cls, spec: DataSpec, epochs: float) -> Mapping[str, Any]:
        """Return the settings for few images, with DiffAugment."""
        return for_few(spec, epochs, "diffaugment") if issubclass(cls.hparams, NoiseHParams) else {}

    def generator(self) -> nn.Module:
        """Build G: (N, Z) -> (N, C, H, W)."""
        if self.spec.points:
            return mlp.Generator(self.hp.z_dim, self.hp.units, self.spec)
        return self.convolutional(self.hp.z_dim)

    def convolutional(self, z_dim: int) -> dcgan.Generator:
        """Build DCGAN's G, for latents of any size."""
        norm = dcgan.NORMS[getattr(self.hp, "g_norm", "batch")]
        return dcgan.Generator(z_dim, self.hp.width, self.spec, norm, getattr(self.hp, "mapping", 0))

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> logits (N,)."""
        if self.spec.points:
            return mlp.Discriminator(self.hp.units, self.spec)
        return dcgan.Discriminator(self.hp.width, self.spec, self.d_norm)

    @property
    def d_norm(self) -> dcgan.Norm | None:
        """Return the norm of D's convolutions."""
        return dcgan.NORMS[getattr(self.hp, "d_norm", "batch")]

    def augment_before(self) -> None:
        """Augment images where they enter D."""
        entrance: nn.Module = getattr(self.D, "trunk", self.D)
        entrance.register_forward_pre_hook(self.augmentation.before)

    @property
    def g_lr(self) -> float:
        """Return the learning rate of G."""
        return self.hp.lr if self.hp.g_lr is None else self.hp.g_lr

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam for G, and one for all other networks."""
        others = (network for name, network in self.named_children() if name != "G")
        return {"D": self.adam(*others), "G": self.adam(self.G, lr=self.g_lr)}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Keep the learning rates constant, then let them fall to zero."""
        if not self.hp.decay:
            return {}
        left = clock.falling(self.hp.decay)
        return {"D": {"lr": left * self.hp.lr}, "G": {"lr": left * self.g_lr}}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Play Algorithm 1 of Goodfellow et al. 2014, with new noise for each turn."""
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        yield Turn("D", self.d_terms(batch.image, fake) | self.slopes(self.D, batch.image, fake, clock))
        if clock.every(self.hp.n_critic):
            yield Turn("G", self.g_objective(batch))

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Let spectral norms follow D (Miyato et al. 2018, Algorithm 1)."""
        del means
        if player == "D":
            spectral.power_step(self.D)

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss terms of D."""
        return {"adversarial": self.adversarial.d(*self.judge_both(real, fake))}

    def slopes(self, critic: penalties.Critic, real: Tensor, fake: Tensor, clock: Clock) -> dict[str, Tensor]:
        """Return the penalties R1 and R2 on a critic's slope that are asked for, every `penalty_every` steps."""
        hp = self.hp
        if not isinstance(hp, SlopeHParams) or not (hp.r1 or hp.r2) or not clock.every(hp.penalty_every):
            return {}
        asked = {"r1": (hp.r1, real), "r2": (hp.r2, fake)}
        return {
            name: weight * hp.penalty_every * penalties.zero_centred(critic, x)
            for name, (weight, x) in asked.items()
            if weight
        }

    def judge_both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both: in one call, which is faster, unless D's layers would mix them.

        Augmentations are drawn for the real images and for fakes by themselves, whichever processes hold them.
        """
        if self.augmentation.changes or mixing(self.D):
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
