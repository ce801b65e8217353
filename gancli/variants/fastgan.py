"""FastGAN: Liu et al. 2021, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image Synthesis".

ICLR 2021, arXiv:2101.04775.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.hparams import hparam
from gancli.nets.high_fidelity import fastgan
from gancli.nets.layers import spectral
from gancli.ops import losses
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(NoiseHParams):
    """Section 4 and the authors' code: 50,000 steps on some hundred images."""

    batch: int = 8
    kimg: float = 400.0
    z_dim: int = 256
    augment: Literal["none", "diffaugment"] = "diffaugment"
    skip: int = hparam(4, "doublings of the sides that a skip-layer excitation spans (section 3.1)", min=1, max=6)
    rebuild: float = hparam(1.0, "weight of the error of the images that D rebuilds, eq. 4", min=0)


class FastGAN(NoiseToImage[HParams]):
    """D's maps must be enough to rebuild real images, which keeps it from memorising a few of them (section 3.2).

    The error is the mean absolute one, as no network for the authors' perceptual one comes with gancli; and D shrinks
    what it sees at half the size by itself, fakes as well.
    """

    purpose = "new images; learns from a few hundred"
    hparams = HParams
    adversarial = losses.HINGE
    on_small: ClassVar = {
        "width": 8, "z_dim": 16, "batch": 16, "kimg": 60.0, "skip": 2, "lr": 1e-3, "decay": 0.4, "augment": "none"
    }  # fmt: skip

    def generator(self) -> nn.Module:
        """Build G: (N, Z) -> (N, C, H, W)."""
        if self.spec.points:
            return super().generator()
        return fastgan.Generator(self.hp.z_dim, self.hp.width, self.spec, self.hp.skip)

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> logits (N, P)."""
        if self.spec.points:
            return super().discriminator()
        return fastgan.Discriminator(self.hp.width, self.spec, self.hp.skip)

    @classmethod
    def few(cls, spec: DataSpec, epochs: float) -> Mapping[str, Any]:
        """Mirror colour photographs, not letters; few images are what it is made for."""
        return {"mirror": super().few(spec, epochs).get("mirror", False)}

    def augment_before(self) -> None:
        """Put nothing before D: it must rebuild the same augmented image that it was given (`seen`)."""

    def seen(self, x: Tensor) -> Tensor:
        """Return images as D is given them: augmented in training."""
        return self.augmentation(x) if self.training else x

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return a hinge loss with margins from 0.8 to 1, and the error of rebuilt real images."""
        real, fake = self.seen(real), self.seen(fake)
        if not isinstance(self.D, fastgan.Discriminator):
            return {"real": _hinge(self.D(real)), "fake": _hinge(-self.D(fake))}
        maps = self.D.maps(real)
        errors = [F.l1_loss(y.float(), target.float()) for y, target in self.D.rebuilt(real, maps)]
        terms = {"real": _hinge(self.D.judged(real, maps)), "fake": _hinge(-self.D(fake))}
        return terms | {"rebuilt": self.hp.rebuild * torch.stack(errors).sum()}

    def g_terms(self, fake: Tensor) -> dict[str, Tensor]:
        """Return minus the mean logit."""
        return {"adversarial": self.adversarial.g(self.D(self.seen(fake)))}

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Let spectral norms follow the network that has moved."""
        del means
        spectral.power_step(self.D if player == "D" else self.G)

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by the mean of D's logits."""
        del z
        logits = self.D(image)
        return logits.flatten(1).mean(1) if logits.dim() > 1 else logits


def _hinge(logits: Tensor) -> Tensor:
    """Return [margin - logit]+ with a margin drawn for each logit."""
    share = dist.rows(lambda n: torch.rand(n, *logits.shape[1:], device=logits.device), len(logits))
    return F.relu(0.8 + 0.2 * share - logits.float()).mean()
