"""ProGAN: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality …", arXiv:1710.10196."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.high_fidelity.growing import GrowingHParams, Grows
from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets.high_fidelity import progan
from gancli.ops import losses, penalties


@dataclass(frozen=True, kw_only=True)
class HParams(GrowingHParams, NoiseHParams):
    """Appendix A.1, and the authors' code for a single GPU."""

    batch: int = 16
    kimg: float = 12000.0
    ema_kimg: float = 11.0  # 0.999 per step of 16 images
    lr: float = 1e-3
    beta1: float = 0.0
    beta2: float = 0.99
    z_dim: int = 512
    gp_weight: float = hparam(10.0, "weight of the gradient penalty, lambda in Gulrajani et al. 2017, eq. 3", min=0)
    drift: float = hparam(0.001, "weight of D's squared logits of reals, epsilon_drift in appendix A.1", min=0)


class ProGAN(Grows[HParams], NoiseToImage[HParams]):
    """G and D grow from 4 pixels a side to the data's resolution (section 2)."""

    purpose = "new images; networks that grow level by level"
    hparams = HParams
    adversarial = losses.WASSERSTEIN
    on_small: ClassVar = {
        "width": 32, "channel_base": 256, "z_dim": 16, "batch": 16, "kimg": 110.0, "ema_kimg": 5.0, "grow_share": 0.6,
        "lr": 1e-2,  # equalised weights are of size 1 and move by it: docs/quick.md
    }  # fmt: skip

    def generator(self) -> progan.Generator:
        """Build G."""
        return progan.Generator(self.hp.z_dim, self.channels, self.spec, self.start)

    def discriminator(self) -> progan.Discriminator:
        """Build D."""
        return progan.Discriminator(self.channels, self.spec, self.start)

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Play both at the level of the clock."""
        now, every = self.grow(clock), self.hp.n_critic
        real = self.reals(batch.image, now)
        with torch.no_grad():
            fake = self.G(self.prior(len(batch)), now.level)
        yield Turn("D", self.d_terms(real, fake) | self.slopes(self.D, real, fake, clock), fresh=self.fresh(clock))
        if clock.every(every):
            terms = self.g_terms(self.G(self.prior(len(batch)), now.level))
            yield Turn("G", terms, {"level": self.progress(now)}, self.fresh(clock, every))

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The Wasserstein gap, the gradient penalty, and the drift that keeps logits near 0."""
        of_real, of_fake = self.judge_both(real, fake)
        return {
            "adversarial": self.adversarial.d(of_real, of_fake),
            "gradient_penalty": self.hp.gp_weight * penalties.interpolated(self.D, real, fake),
            "drift": self.hp.drift * of_real.float().square().mean(),
        }

    def generate(self, z: Tensor) -> Tensor:
        """Generate images of the size of the data, at every level."""
        return self.finished(self.G(z))

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by how real D takes them for, at its level."""
        return super().rate(self.unfinished(image), z)
