"""StyleGAN3: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", arXiv:2106.12423."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import StyleHParams, Styles, lazily
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets.high_fidelity import stylegan2, stylegan3
from gancli.ops import losses, penalties

SMALL = 512  # pixels per side below which the authors halve the channels
ON_SMALL: Mapping[str, Any] = {
    "batch": 16, "kimg": 24.0, "ema_kimg": 3.0, "lr": 1e-2, "g_lr": 1e-2, "r1": 1.0, "r1_every": 8, "blur": 1.0,
    "blur_kimg": 4.0, "z_dim": 32, "w_dim": 32, "g_layers": 6, "width": 32, "channel_base": 256,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HParams(StyleHParams):
    """The authors' settings, for 256 pixels: as StyleGAN2's, without style mixing and path lengths (appendix G)."""

    kind: Literal["t", "r"] = hparam("t", "details that move with shifts (t), or with rotations too (r; section 3.2)")
    lr: float = 0.002
    g_lr: float = hparam(0.0025, "learning rate of G", min=0)
    mapping: int = 2
    mixing: float = 0.0
    g_layers: int = hparam(14, "convolutions of G before the one that gives colours (section 3.2)", min=3)
    width: int = hparam(512, "most channels of a layer; G of kind r has twice as many", min=1)
    channel_base: int = hparam(16384, "channels of a layer times twice its cycles per image, up to --width", min=1)
    r1: float = hparam(2.0, "weight of D's squared slope at real images; --preset paper: 0.001 H W / batch", min=0)
    r1_every: int = hparam(16, "steps between its turns, which weigh as much more", min=1)
    blur: float = hparam(10.0, "blur of D's images at the start, in pixels; kind r only (appendix G)", min=0)
    blur_kimg: float = hparam(200.0, "kimg in which the blur fades", min=0)


class StyleGAN3(Styles[HParams]):
    """No layer of G can tell where its sampling grid lies, so details do not stick to pixels (section 2)."""

    purpose = "details that move with objects; slow to train"
    hparams = HParams
    adversarial = losses.NONSATURATING

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        twice = 2 if hp.kind == "r" else 1
        shape = stylegan3.Shape(
            z_dim=hp.z_dim, w_dim=hp.w_dim, mapping=hp.mapping, layers=hp.g_layers, base=twice * hp.channel_base,
            most=twice * hp.width, kernel=1 if hp.kind == "r" else 3, radial=hp.kind == "r",
        )  # fmt: skip
        self.G = stylegan3.Generator(shape, spec)
        self.D = stylegan2.Discriminator(hp.mapping, stylegan2.widths(spec, hp.channel_base, hp.width), spec)

    @classmethod
    def paper(cls, spec: DataSpec, batch: int) -> Mapping[str, Any]:
        """Return the authors' settings for a size of images and batches (their README's table of configurations)."""
        pixels, longer = spec.height * spec.width, max(spec.height, spec.width)
        return {
            "r1": 2 * pixels / 256**2 * 32 / batch,
            "ema_kimg": batch * 10 / 32,
            "blur_kimg": batch * 200 / 32,
            "channel_base": 16384 if longer < SMALL else 32768,
            "augment": "ada",
        }

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset: six narrow layers, a small latent, more often regularised for a short run."""
        return {} if spec.points else ON_SMALL

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam each."""
        return {
            "D": self.lazy_adam(self.D, self.hp.r1, self.hp.r1_every),
            "G": self.adam(self.G, lr=self.hp.g_lr),
        }

    def rates(self, clock: Clock) -> Mapping[str, float]:
        """Return the learning rates; only D is regularised lazily."""
        del clock
        return {"D": self.hp.lr * lazily(self.hp.r1, self.hp.r1_every), "G": self.hp.g_lr}

    def play(self, batch: OptionallyLabelled, clock: Clock) -> Iterator[Turn]:
        """Play both, and D's lazy regularisation in a turn of its own; blurred images first, if rotations matter."""
        hp, label = self.hp, self.known(batch.label)
        sigma = self.sigma(clock)
        with torch.no_grad():
            fake = self.fake(label)
        real = self.judge(stylegan3.blurred(batch.image, sigma), label)
        terms = {"adversarial": self.adversarial.d(real, self.judge(stylegan3.blurred(fake, sigma), label))}
        yield Turn("D", terms, self.certainty(real))
        if hp.r1 and clock.opens(hp.r1_every):
            r1 = penalties.zero_centred(lambda x: self.judge(stylegan3.blurred(x, sigma), label), batch.image)
            yield Turn("D", {"r1": hp.r1 * hp.r1_every * r1})
        yield Turn(
            "G", {"adversarial": self.adversarial.g(self.judge(stylegan3.blurred(self.fake(label), sigma), label))}
        )

    def sigma(self, clock: Clock) -> float:
        """Return the blur of D's images, in pixels."""
        if self.hp.kind == "t" or not self.hp.blur_kimg:  # a constant, which lets a GPU replay steps
            return 0.0
        return self.hp.blur * max(0.0, 1 - clock.images / (1000 * self.hp.blur_kimg))

    def fake(self, label: Tensor) -> Tensor:
        """Generate images of these labels (N,) as D sees them: not clamped."""
        return self.G.synthesis(self.drawn_styles(label))

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Let the running magnitudes of features follow too, after each turn of D."""
        super().moved(player, means)
        if player == "D":
            self.G.synthesis.follow_magnitudes(self.hp.batch)
