"""R3GAN: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.families.high_fidelity.annealed import Annealed, AnnealedHParams
from gancli.families.high_fidelity.augmented import Groups
from gancli.families.high_fidelity.optional_labels import OptionalLabels, OptionalLabelsHParams
from gancli.families.latents import FromLabels
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import mlp
from gancli.nets.high_fidelity import r3gan
from gancli.ops import losses, penalties


@dataclass(frozen=True, kw_only=True)
class HParams(OptionalLabelsHParams, AnnealedHParams):
    """The authors' settings for FFHQ."""

    labels: bool = False
    batch: int = 256
    kimg: float = 100_000.0
    z_dim: int = 64
    width: int = hparam(768, "channels of the coarsest stages; for points: half the units of each hidden layer", min=1)
    wide: int = hparam(4, "stages of that width, from the coarsest; each one after them has half as many", min=1)
    blocks: int = hparam(2, "residual blocks per stage", min=1)
    group: int = hparam(16, "channels per group of the 3x3 convolutions", min=1)
    patch: int = hparam(1, "side of the patch of pixels at each place of the finest stage; 2 is faster", min=1, max=2)
    beta1: float = 0.0
    beta2: float = 0.9
    ema_kimg: float = 500.0
    augment: Literal["none", "diffaugment", "ada"] = "ada"
    ada: Groups = "mild"


class R3GAN(OptionalLabels[HParams], FromLabels[HParams], Annealed[HParams]):
    """D compares pair by pair, and its slope is held at real images and at fakes; no norm and no trick (section 3)."""

    purpose = "new images; a modern baseline"
    hparams = HParams
    data = OptionallyLabelled
    on_small: ClassVar = {
        "width": 64, "wide": 2, "patch": 2, "blocks": 1, "z_dim": 16, "kimg": 65.0, "ema_kimg": 3.0,
        "batch": 8,  # many small steps: docs/quick.md
        "lr": 2e-3, "beta2": 0.99, "gamma": 1.0, "final_gamma": 1.0, "anneal": 1.0, "augment": "none",
    }  # fmt: skip
    on_points: ClassVar = {
        **Annealed.on_points, "width": 64, "z_dim": 16, "beta2": 0.99, "gamma": 1.0, "ema_kimg": 10.0
    }  # fmt: skip

    def generator(self) -> nn.Module:
        """Build G: (N, Z) -> (N, C, H, W)."""
        hp, spec, classes = self.hp, self.spec, len(self.spec.classes)
        if spec.points:
            return mlp.Generator(hp.z_dim + classes, hp.units, spec)
        return r3gan.Generator(hp.z_dim, self.stages, spec, hp.patch, classes)

    def discriminator(self) -> nn.Module:
        """Build D: images (N, C, H, W) and labels (N, K) -> logits (N,)."""
        hp, spec, classes = self.hp, self.spec, len(self.spec.classes)
        if spec.points:
            return mlp.Discriminator(hp.units, dataclasses.replace(spec, channels=spec.channels + classes))
        return r3gan.Discriminator(self.stages, spec, hp.patch, classes)

    @property
    def stages(self) -> list[r3gan.Stage]:
        """Return what the networks do at each resolution, from the coarsest."""
        hp = self.hp
        return r3gan.stages(hp.width, self.spec, hp.wide, hp.patch, hp.blocks, hp.group)

    def play(self, batch: OptionallyLabelled, clock: Clock) -> Iterator[Turn]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Play D, then G, with the labels of the batch; the penalties are part of each of D's turns (eq. 2 and 3)."""
        label = self.known(batch.label)
        with torch.no_grad():
            fake = self.drawn(label)
        yield Turn("D", self.d_terms(batch.image, fake, label))
        if clock.every(self.hp.n_critic):
            yield Turn("G", self.g_terms(self.drawn(label), batch.image, label))

    def d_terms(self, real: Tensor, fake: Tensor, label: Tensor) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Score reals above fakes, and hold D's slope at both."""
        both, labels = torch.cat([real, fake]), torch.cat([label, label])
        logits, slopes = penalties.judged(lambda x: self.logit(self.seen(x, 2), labels), both)
        (high, low), (r1, r2) = logits.chunk(2), slopes.chunk(2)
        half = self.gamma / 2
        return {"adversarial": losses.relativistic_pairs(high, low), "r1": half * r1.mean(), "r2": half * r2.mean()}

    def g_terms(self, fake: Tensor, real: Tensor, label: Tensor) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Score fakes above reals."""
        with torch.no_grad():
            high = self.logit(self.seen(real), label)
        return {"adversarial": losses.relativistic_pairs(self.logit(self.seen(fake), label), high)}

    def logit(self, image: Tensor, label: Tensor) -> Tensor:
        """Return D's logits (N,) of images with labels (N,)."""
        hot = self.one_hot(label)
        if self.spec.points:
            return self.D(torch.cat([image, hot[:, :, None, None]], 1))
        return self.D(image, hot) if self.classes else self.D(image)

    def drawn(self, label: Tensor) -> Tensor:
        """Generate images of labels (N,), without bounds, as D sees them."""
        return self.G(self.of_class(self.prior(len(label)), label)).float()

    def generate(self, z: Tensor) -> Tensor:
        """Generate images from latents; G's last layer is linear, so brighter than white is white."""
        return self.G(z).float() if self.spec.points else self.G(z).float().clamp(-1, 1)

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by how real D takes them for, given their labels."""
        return self.logit(image, self.label_of(z))
