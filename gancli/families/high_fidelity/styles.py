"""Generators steered by styles: Karras et al. 2019, arXiv:1812.04948. z -> w by a mapping network, w -> images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.augmented import AdaptiveHParams, augmentation, for_few
from gancli.families.high_fidelity.optional_labels import OptionalLabels, OptionalLabelsHParams
from gancli.families.latents import FromLabels, SizeHParams
from gancli.gan import Clock
from gancli.hparams import AdamHParams, DecayHParams, hparam
from gancli.nets.high_fidelity.mapping import mixed
from gancli.optim import Adam
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class StyleHParams(AdaptiveHParams, SizeHParams, OptionalLabelsHParams, DecayHParams, AdamHParams):
    """Hyperparameters of every variant of the family."""

    batch: int = 32
    kimg: float = 25000.0
    z_dim: int = 512
    w_dim: int = hparam(512, "size of the styles w", min=1)
    mapping: int = hparam(8, "fully connected layers between z and w", min=1)
    mixing: float = hparam(0.9, "share of fakes whose last layers get the style of another z", min=0, max=1)
    beta1: float = 0.0
    beta2: float = 0.99


H = TypeVar("H", bound=StyleHParams)


def lazily(weight: float, every: int) -> float:
    """Return what share of its learning rate a player keeps that is regularised every so many steps, if at all."""
    return every / (every + 1) if weight else 1.0


class Styles(OptionalLabels[H], FromLabels[H]):
    """A variant builds G and D and plays, and gives D's turn `certainty` as stats; here is what uses styles.

    In training, G sees random noise and styles are mixed; in evaluation a latent gives one image, in any batch.
    """

    judges: ClassVar[tuple[str, ...]] = ("D",)
    D: nn.Module  # images (N, C, H, W), labels (N, K) -> logits (N,)
    # a module with a `nets.mapping.Mapping`, a `synthesis` of styles (N, L, W) to images, in float32 and mostly in
    # [-1, 1], and `style_layers`, L; Any, as pyright takes each attribute of a module for a tensor or module
    G: Any

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.augmentation = augmentation(hp, spec)

    @classmethod
    def few(cls, spec: DataSpec, epochs: float) -> Mapping[str, Any]:
        """Return the settings for few images, with ADA."""
        return for_few(spec, epochs, "ada")

    # ------------------------------------------------------------------------------------------ in training

    def drawn_styles(self, label: Tensor, layers: int | None = None) -> Tensor:
        """Sample styles (N, L, W) of fakes with these labels (N,), some of them mixed; of the first `layers` layers."""
        w, layers = self.G.mapping(self._latent(label)), layers or self.style_layers
        if not self.hp.mixing:
            return w[:, None].expand(-1, layers, -1)
        return mixed(w, self.G.mapping(self._latent(label)), layers, self.hp.mixing)

    def _latent(self, label: Tensor) -> Tensor:
        return torch.cat([self.noise(len(label)), self.one_hot(label)], 1)

    def certainty(self, logits: Tensor) -> dict[str, Tensor]:
        """Return how sure D is of real images, r_t, from their logits (N,), and ADA's probability that it steers."""
        p = {"augment_p": self.augmentation.ada.p} if self.augmentation.ada else {}
        return {"r_t": logits.sign().mean(), **p}

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Let the running mean of w follow G, and ADA's probability what D's turn found."""
        if player == "G":
            self.follow_styles()
        if "r_t" in means and self.augmentation.ada:
            self.augmentation.ada.adapt(means["r_t"], self.hp.batch)

    def follow_styles(self) -> None:
        """Let the mean of w follow G, by as many latents as a batch has: after each turn of G."""
        with dist.alone():  # the same on all processes, and however the batch was split
            self.G.mapping.follow(self.prior(self.hp.batch))

    def judge(self, image: Tensor, label: Tensor) -> Tensor:
        """Return D's logits (N,) of images, augmented, with labels (N,)."""
        return self.D(self.augmentation(image), self.one_hot(label))

    def lazy_adam(self, network: nn.Module, weight: float, every: int) -> Adam:
        """Make an Adam that takes `every` + 1 steps in the time of `every` and is that much slower (appendix B)."""
        share = lazily(weight, every)
        adam = self.adam(network, lr=self.hp.lr * share)
        for group in adam.param_groups:
            group["betas"] = tuple(beta**share for beta in group["betas"])
        return adam

    def rates(self, clock: Clock) -> Mapping[str, float]:
        """Return the learning rate of each player before it falls at the end."""
        del clock
        return {"D": self.hp.lr, "G": self.hp.lr}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Keep the learning rates, then let them fall to zero."""
        left = clock.falling(self.hp.decay)
        return {player: {"lr": left * rate} for player, rate in self.rates(clock).items()}

    # ------------------------------------------------------------------------------------------ in evaluation

    @property
    def style_layers(self) -> int:
        """Return L, how many styles steer an image."""
        return self.G.style_layers

    def styles(self, z: Tensor) -> Tensor:
        """Map latents (N, Z) to styles (N, L, W), the same one for every layer."""
        return self.G.mapping(z)[:, None].expand(-1, self.style_layers, -1)

    def mean_styles(self, z: Tensor) -> Tensor:
        """Return the mean styles (N, L, W): of the class of each latent, if there are classes."""
        return self.G.mapping.mean(z)[:, None].expand(-1, self.style_layers, -1)

    def synthesise(self, w: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from styles (N, L, W)."""
        return bounded(self.G.synthesis(w).float())

    def generate(self, z: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from latents."""
        return self.synthesise(self.styles(z))

    def fakes(self, batch: OptionallyLabelled) -> Tensor:
        """Generate an image for each label of the batch, or as many images as it has."""
        return self.generate(self._latent(self.known(batch.label)))

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by how real D takes them for, given their labels."""
        return self.D(image, z[:, self.hp.z_dim :])


def bounded(image: Tensor) -> Tensor:
    """Clamp to [-1, 1] with the gradient of the identity: a search for latents must be able to leave a bound again."""
    return image.detach().clamp(-1, 1) + (image - image.detach())
