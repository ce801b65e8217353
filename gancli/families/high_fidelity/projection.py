"""Residual GANs whose D projects the label on its features: Miyato and Koyama 2018, arXiv:1802.05637.

With the options of S3GAN, which learn from images without labels what labels would tell: Lucic et al. 2019,
arXiv:1903.02271.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import PartlyLabelled, show_labels
from gancli.data.request import Request
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.high_fidelity.optional_labels import OptionalLabels, OptionalLabelsHParams
from gancli.families.latents import FromLabels
from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets.dcgan import stages
from gancli.nets.high_fidelity import resnet_gan
from gancli.nets.layers import spectral
from gancli.ops import losses, penalties
from gancli.system import dist

ROTATED_FAKES = 0.2  # of the weight of rotated real images (Chen et al. 2019, arXiv:1811.11212, section 4)


@dataclass(frozen=True, kw_only=True)
class ProjectionHParams(OptionalLabelsHParams, NoiseHParams):
    """Hyperparameters of every variant of the family."""

    z_dim: int = 128
    width: int = hparam(
        64, "channels at the image's resolution; for images of up to 32 pixels, a quarter of all", min=1
    )
    taper: bool = hparam(False, "let channels double at each halving of small images too, which is faster")
    beta1: float = 0.0
    attention: int = hparam(
        0, "shorter side of the feature maps with self-attention, at most half of the image's; 0: none", min=0
    )
    orthogonal: float = hparam(
        0.0, "weight of G's orthogonal regularisation, beta (Brock et al. 2019, eq. 3); not of the diagonal", min=0
    )
    rotation: float = hparam(
        0.0, "weight of the loss by which D tells how an image was rotated (Lucic et al. 2019, section 3)", min=0
    )
    labels_per_class: int = hparam(
        0,
        "labelled images per class, other labels are hidden and guessed (Lucic et al. 2019, section 3); 0: all",
        min=0,
    )
    log_singular_values: bool = hparam(
        False, "log the largest singular value of the weights of each layer under spectral norm"
    )


H = TypeVar("H", bound=ProjectionHParams)


class Projection(OptionalLabels[H], FromLabels[H], NoiseToImage[H]):
    """Fakes get the labels of the batch; with data without labels, D judges the image alone."""

    D: resnet_gan.Discriminator
    adversarial = losses.HINGE
    on_small: ClassVar[Mapping[str, Any]] = {
        "width": 8, "taper": True, "z_dim": 16, "batch": 16, "kimg": 90.0, "ema_kimg": 10.0, "n_critic": 1,
        "lr": 1e-3, "g_lr": None, "beta2": 0.99, "decay": 0.4,
    }  # fmt: skip
    on_points: ClassVar[Mapping[str, Any]] = {**on_small, "batch": 32, "kimg": 140.0}

    def __init__(self, hp: H, spec: DataSpec) -> None:
        if hp.rotation and spec.height != spec.width:
            raise UserError(f"--rotation needs square images, not {spec.width}x{spec.height}: leave it out")
        super().__init__(hp, spec)
        self.normalise()

    def normalise(self) -> None:
        """Put layers under spectral norm: all of D's, and none of G's (SNGAN)."""
        spectral.normalise(self.D)

    @classmethod
    def dataset(cls, hp: Any, request: Request) -> Dataset[Any]:
        """Open the data; if few labels are to be used, batches have labelled examples beside their images."""
        if not (hp.labels and hp.labels_per_class):
            return super().dataset(hp, request)
        return show_labels(PartlyLabelled.open(request), hp.labels_per_class)

    # ------------------------------------------------------------------------------------------------ networks

    @property
    def channels(self) -> list[int]:
        """Return the channels of G's feature maps, from the coarsest to the finest."""
        return [self.hp.width * times for times in resnet_gan.multiples(stages(self.spec), self.hp.taper)]

    @property
    def attended(self) -> int:
        """Return how often the image is halved where self-attention is; 0: nowhere."""
        if not self.hp.attention:
            return 0
        shorter = min(self.spec.height, self.spec.width)
        return next(i for i in range(1, shorter.bit_length() + 1) if shorter >> i <= self.hp.attention)

    def generator(self) -> nn.Module:
        """Build G, with the noise at the first layer and the label at every block: (N, z_dim + K) -> (N, C, H, W)."""
        parts = resnet_gan.whole(self.hp.z_dim, stages(self.spec))
        codes = resnet_gan.Codes(len(self.classes), 0, parts)
        return resnet_gan.generator(self.spec, self.channels, codes, self.attended).apply(resnet_gan.glorot)

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) and labels (N, K) -> logits (N,)."""
        return self.projecting(self.trunk(), self.channels[0]).apply(resnet_gan.glorot)

    def trunk(self) -> nn.Sequential:
        """Build the part of D below its heads; it has as many channels as the coarsest feature maps of G."""
        channels, halvings = [*reversed(self.channels)], stages(self.spec)
        if len(set(channels)) == 1:  # SNGAN's for small images stops halving early
            halvings = max(halvings - 1, 1)
        return resnet_gan.trunk(self.spec, channels, halvings, self.attended)

    def projecting(self, trunk: nn.Sequential, features: int) -> resnet_gan.Discriminator:
        """Build D on a trunk with these features."""
        few = bool(self.classes and self.hp.labels_per_class)
        return resnet_gan.Discriminator(trunk, features, len(self.classes), turned=self.hp.rotation > 0, named=few)

    # ---------------------------------------------------------------------------------------------------- play

    # a narrower type than the base's batch, matching `data`
    def play(self, batch: Any, clock: Clock) -> Iterator[Turn]:
        """Play with the labels of the batch; the labels of real images are guessed where most are hidden."""
        label = self.known(batch.label)
        y = self.one_hot(label)
        with torch.no_grad():
            fake, real_y = self.of_label(label), self.one_hot(self.guessed(batch.image, label))
        terms = {"adversarial": self.adversarial.d(*self.judge_labelled(batch.image, fake, real_y, y))}
        terms |= self.told(batch) | self.slopes(lambda x: self.D(x, real_y), batch.image, fake, clock)
        yield Turn("D", terms, self.singular_values(self.D))
        if clock.every(self.hp.n_critic):
            yield self.g_turn(self.of_label(label), y)

    def g_turn(self, fake: Tensor, y: Tensor) -> Turn:
        """Return G's turn on fakes with labels (N, K)."""
        terms = {"adversarial": self.adversarial.g(self.D(fake, y))}
        if self.hp.rotation:
            terms["rotation"] = ROTATED_FAKES * self.rotation_error(fake)
        if self.hp.orthogonal:
            terms["orthogonal"] = self.hp.orthogonal * penalties.orthogonality(self.regularised())
        return Turn("G", terms, self.singular_values(self.G))

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Let spectral norms follow the network that has moved."""
        del means
        spectral.power_step(self.get_submodule(player))

    def judge_labelled(self, real: Tensor, fake: Tensor, real_y: Tensor, fake_y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both: in one call, unless augmentations are drawn for each by itself."""
        if self.augmentation.changes:
            return self.D(real, real_y), self.D(fake, fake_y)
        logits = self.D(torch.cat([real, fake]), torch.cat([real_y, fake_y]))
        return logits[: len(real)], logits[len(real) :]

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by how real D takes them for, given their labels."""
        return self.D(image, z[:, self.hp.z_dim :])

    def of_label(self, label: Tensor) -> Tensor:
        """Generate an image for each label (N,)."""
        return self.generate(self.of_class(self.prior(len(label)), label))

    def fakes(self, batch: Any) -> Tensor:
        """Generate an image for each label of the batch; unknown labels get any."""
        return self.of_label(self.known(batch.label))

    def regularised(self) -> list[nn.Parameter]:
        """Return G's weights but the embedding of labels, which all layers share (Brock et al. 2019, appendix C)."""
        shared = set(self.G.get_submodule("codes").parameters())
        return [weight for weight in self.G.parameters() if weight.dim() > 1 and weight not in shared]

    def singular_values(self, network: nn.Module) -> dict[str, Tensor]:
        """Return stats of the layers under spectral norm, if asked for; they announce a collapse (section 4.1)."""
        found = spectral.largest(network) if self.hp.log_singular_values else {}
        return {f"sigma {name}": value for name, value in found.items()}

    # --------------------------------------------------------------------------------------------------- S3GAN

    def guessed(self, image: Tensor, label: Tensor) -> Tensor:
        """Return the labels (N,) of real images: those of the data, or D's guess if most are hidden."""
        return label if self.D.named is None else self.D.named(self.D.features(image)).argmax(1)

    def told(self, batch: Any) -> dict[str, Tensor]:
        """Return the terms of D's further heads: how an image was rotated, and the classes of labelled examples."""
        terms = {}
        if self.hp.rotation:
            terms["rotation"] = self.rotation_error(batch.image)
        if self.D.named is not None:
            terms["class"] = F.cross_entropy(self.D.named(self.D.features(batch.example)).float(), batch.label)
        return terms

    def rotation_error(self, image: Tensor) -> Tensor:
        """The weighted cross-entropy of how each image was rotated, drawn for each."""
        assert self.D.turned is not None
        turns = resnet_gan.ROTATIONS
        by = dist.rows(lambda n: torch.randint(turns, (n,), device=image.device), len(image))
        all_ways = torch.stack([image.rot90(k, (2, 3)) for k in range(turns)])
        rotated = all_ways[by, torch.arange(len(image), device=image.device)]
        return self.hp.rotation * F.cross_entropy(self.D.turned(self.D.features(rotated)).float(), by)
