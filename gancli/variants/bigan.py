"""BiGAN: Donahue et al. 2017, "Adversarial Feature Learning", arXiv:1605.09782."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from gancli import losses
from gancli.data.images import Images
from gancli.data.spec import DataSpec
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import dcgan
from gancli.variants._codes import Coded, CodeHParams


@dataclass(frozen=True, kw_only=True)
class HParams(CodeHParams):
    """The networks are those of the paper's ImageNet experiments in small."""

    z_dim: int = 50  # appendix C.1
    width: int = hparam(
        64, "channels at half the image's resolution; they double at each halving, up to 8 times", min=1
    )


class BiGAN(Coded[HParams]):
    """D tells (x, E(x)) from (G(z), z), and to fool it E must invert G; pixels are never compared (section 3)."""

    hparams = HParams
    builtin = "shapes-mono"
    adversarial = losses.NONSATURATING

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = dcgan.Generator(hp.z_dim, hp.width, spec)
        self.E = dcgan.Encoder(hp.z_dim, hp.width, spec)
        self.D = dcgan.JointDiscriminator(hp.z_dim, hp.width, spec)

    def players(self) -> Mapping[str, Optimizer]:
        """G and E are one player: both pairs must fool D (section 3.4)."""
        return {"D": self.adam(self.D), "G": self.adam(self.G, self.E)}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Constant, then exponentially to a hundredth in the second half (appendix C.1)."""
        lr = self.hp.lr * 0.01 ** max(0.0, 2 * clock.progress - 1)
        return {"D": {"lr": lr}, "G": {"lr": lr}}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Section 3.4: D, then G and E on D's loss with its two sides swapped."""
        del clock
        x, z = batch.image, self.prior(len(batch))
        code, drawn = self.encode(x), self.generate(z)
        yield Turn("D", {"adversarial": self.adversarial.d(self.D(x, code.detach()), self.D(drawn.detach(), z))})
        yield Turn("G", {"adversarial": self.adversarial.d(self.D(drawn, z), self.D(x, code))})
