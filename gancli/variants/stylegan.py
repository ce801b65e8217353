"""StyleGAN: Karras et al. 2019, "A Style-Based Generator Architecture for …", arXiv:1812.04948."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.growing import GrowingHParams, Grows
from gancli.families.high_fidelity.styles import StyleHParams, Styles
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets.high_fidelity import stylegan
from gancli.ops import losses, penalties

FASTER = {128: 1.5, 256: 2.0, 512: 3.0}  # learning rates from so many pixels per side on, in the authors' code
ON_SMALL: Mapping[str, Any] = {
    "kimg": 120.0, "ema_kimg": 5.0, "lr": 2e-2, "decay": 0.4, "r1": 1.0, "r1_every": 4, "mixing": 0.0,
    "z_dim": 32, "w_dim": 32, "mapping": 4, "width": 32, "channel_base": 256, "grow_share": 0.4,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HParams(GrowingHParams, StyleHParams):
    """Appendix C, and the authors' code."""

    batch: int = 32
    kimg: float = 25000.0
    lr: float = 1e-3  # up to 64 pixels
    r1: float = hparam(10.0, "weight of D's squared slope at real images (Mescheder et al. 2018, eq. 9)", min=0)
    r1_every: int = hparam(1, "steps between those penalties, whose weight grows by as much", min=1)


class StyleGAN(Grows[HParams], Styles[HParams]):
    """A learnt constant, and styles that set the mean and deviation of every layer's features (section 2)."""

    purpose = "new images, mixing styles; layers normalised by them"
    hparams = HParams
    adversarial = losses.NONSATURATING
    first = 1  # 8 pixels a side

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = stylegan.Generator(hp.z_dim, hp.w_dim, hp.mapping, self.channels, spec, self.start)
        self.D = stylegan.discriminator(self.channels, spec, self.start)

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset: narrow networks, a small latent, a weaker penalty for a short run."""
        return {} if spec.points else ON_SMALL

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam each; the mapping network's layers scale its steps themselves."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def rates(self, clock: Clock) -> Mapping[str, float]:
        """Learn faster at higher resolutions."""
        pixels = min(self.spec.height, self.spec.width) >> (self.top - self.stage(clock).level)
        lr = self.hp.lr * max([1.0, *(times for side, times in FASTER.items() if pixels >= side)])
        return {"D": lr, "G": lr}

    def play(self, batch: OptionallyLabelled, clock: Clock) -> Iterator[Turn]:
        """Play both at the level of the clock."""
        hp, label, now = self.hp, self.known(batch.label), self.grow(clock)
        real = self.reals(batch.image, now)
        with torch.no_grad():
            fake = self.fake(label, now.level)
        logits = self.judge(real, label)
        terms = {"adversarial": self.adversarial.d(logits, self.judge(fake, label))}
        if hp.r1 and clock.opens(hp.r1_every):
            terms["r1"] = hp.r1 * hp.r1_every * penalties.zero_centred(lambda x: self.judge(x, label), real)
        yield Turn("D", terms, self.certainty(logits), self.fresh(clock))
        terms = {"adversarial": self.adversarial.g(self.judge(self.fake(label, now.level), label))}
        yield Turn("G", terms, {"level": self.progress(now)}, self.fresh(clock))

    def fake(self, label: Tensor, level: int) -> Tensor:
        """Generate images of these labels (N,) at a level as D sees them: not clamped, some of mixed styles."""
        return self.G.synthesis(self.drawn_styles(label, 2 * (level + 1)), level)

    def synthesise(self, w: Tensor) -> Tensor:
        """Generate images of the size of the data, at every level."""
        return self.finished(self.G.synthesis(w))

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Rate images by how real D takes them for, at its level and given their labels."""
        return super().rate(self.unfinished(image), z)
