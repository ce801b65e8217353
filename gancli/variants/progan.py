"""ProGAN: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality …", arXiv:1710.10196."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gancli.families.growing import GrowingHParams, Grows
from gancli.hparams import hparam
from gancli.nets import progan
from gancli.ops import losses, penalties


@dataclass(frozen=True, kw_only=True)
class HParams(GrowingHParams):
    """Appendix A.1."""

    gp_weight: float = hparam(10.0, "weight of the gradient penalty, lambda in Gulrajani et al. 2017, eq. 3", min=0)
    drift: float = hparam(0.001, "weight of D's squared logits of reals, epsilon_drift in appendix A.1", min=0)


class ProGAN(Grows[HParams]):
    """G and D grow from 4 pixels a side to the data's resolution (section 2)."""

    purpose = "new images; networks that grow level by level"
    hparams = HParams
    adversarial = losses.WASSERSTEIN
    on_small: ClassVar = {
        "width": 64, "channel_base": 512, "z_dim": 16, "batch": 32, "kimg": 100.0, "ema_kimg": 10.0, "grow_share": 0.6
    }  # fmt: skip

    def generator(self) -> progan.Generator:
        """Build G."""
        return progan.Generator(self.hp.z_dim, self.channels, self.spec)

    def discriminator(self) -> progan.Discriminator:
        """Build D."""
        return progan.Discriminator(self.channels, self.spec)

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The Wasserstein gap, the gradient penalty, and the drift that keeps logits near 0."""
        of_real, of_fake = self.judge_both(real, fake)
        return {
            "adversarial": self.adversarial.d(of_real, of_fake),
            "gradient_penalty": self.hp.gp_weight * penalties.interpolated(self.D, real, fake),
            "drift": self.hp.drift * of_real.float().square().mean(),
        }
