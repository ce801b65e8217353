"""StyleGAN2: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", arXiv:1912.04958."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.styles import StyleHParams, Styles, lazily
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets.high_fidelity import stylegan2
from gancli.ops import losses, penalties
from gancli.system import dist

LARGE = 512  # pixels per side from which on the authors double the channels
# Weights of equalised layers are of size 1 and move by the learning rate: in so few steps 0.0025 does not change them.
# With more styles than noise, or labels of more weight than it, each class is drawn in one colour: docs/quick.md
ON_SMALL: Mapping[str, Any] = {
    "kimg": 120.0, "ema_kimg": 3.0, "lr": 1e-2, "r1": 1.0, "r1_every": 8, "path": 0.0, "mixing": 0.0,
    "z_dim": 32, "w_dim": 32, "mapping": 2, "width": 64, "channel_base": 256,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HParams(StyleHParams):
    """The automatic settings of StyleGAN2-ADA (Karras et al. 2020b, arXiv:2006.06676); here for 256 pixels."""

    lr: float = 0.0025
    width: int = hparam(512, "most channels of a resolution", min=1)
    channel_base: int = hparam(16384, "channels of a resolution times its shorter side, up to --width", min=1)
    r1: float = hparam(0.4, "weight of D's squared slope at real images; --preset paper: 0.0002 H W / batch", min=0)
    r1_every: int = hparam(16, "steps between its turns, which weigh as much more (appendix B)", min=1)
    path: float = hparam(2.0, "weight of the path length regularisation of G (eq. 4)", min=0)
    path_every: int = hparam(4, "steps between its turns, of half a batch", min=1)
    path_decay: float = hparam(0.01, "share of a turn in the running mean of path lengths, a in eq. 4", min=0, max=1)


class StyleGAN2(Styles[HParams]):
    """Styles scale the weights of convolutions, and G's images change evenly with w (sections 2 and 3)."""

    purpose = "new images, mixing and editing of styles"
    hparams = HParams
    adversarial = losses.NONSATURATING
    path_mean: Tensor  # ()

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        channels = stylegan2.widths(spec, hp.channel_base, hp.width)
        self.G = stylegan2.Generator(hp.z_dim, hp.w_dim, hp.mapping, channels, spec)
        self.D = stylegan2.Discriminator(hp.mapping, channels, spec)
        self.register_buffer("path_mean", torch.zeros(()))

    @classmethod
    def paper(cls, spec: DataSpec, batch: int) -> Mapping[str, Any]:
        """Return the authors' automatic settings for a size of images and batches (`auto` in train.py)."""
        pixels, longer = spec.height * spec.width, max(spec.height, spec.width)
        return {
            "r1": 0.0002 * pixels / batch,
            "lr": 0.0025 if longer < 1024 else 0.002,
            "ema_kimg": batch * 10 / 32,
            "channel_base": 32768 if longer >= LARGE else 16384,
            "augment": "ada",
        }

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset: narrow networks, a small latent, more often regularised for a short run."""
        return {} if spec.points else ON_SMALL

    def players(self) -> Mapping[str, Optimizer]:
        """Return an Adam each."""
        hp = self.hp
        return {"D": self.lazy_adam(self.D, hp.r1, hp.r1_every), "G": self.lazy_adam(self.G, hp.path, hp.path_every)}

    def rates(self, clock: Clock) -> Mapping[str, float]:
        """Return the learning rates of lazily regularised players."""
        del clock
        hp = self.hp
        return {"D": hp.lr * lazily(hp.r1, hp.r1_every), "G": hp.lr * lazily(hp.path, hp.path_every)}

    def play(self, batch: OptionallyLabelled, clock: Clock) -> Iterator[Turn]:
        """Play both, and the lazy regularisation of both in turns of its own (section 3.1)."""
        hp, label = self.hp, self.known(batch.label)
        with torch.no_grad():
            fake = self.fake(label)
        real = self.judge(batch.image, label)
        terms = {"adversarial": self.adversarial.d(real, self.judge(fake, label))}
        yield Turn("D", terms, self.certainty(real))
        if hp.r1 and clock.opens(hp.r1_every):
            r1 = penalties.zero_centred(lambda x: self.judge(x, label), batch.image)
            yield Turn("D", {"r1": hp.r1 * hp.r1_every * r1})
        yield Turn("G", {"adversarial": self.adversarial.g(self.judge(self.fake(label), label))})
        if hp.path and clock.opens(hp.path_every):
            length = penalties.path_lengths(self.G.synthesis, self.drawn_styles(label[::2]))
            path = (length - self.path_mean).square().mean()
            yield Turn("G", {"path": hp.path * hp.path_every * path}, {"length": length.mean()})

    def fake(self, label: Tensor) -> Tensor:
        """Generate images of these labels (N,) as D sees them: not clamped, with random noise, some of mixed styles."""
        return self.G.synthesis(self.drawn_styles(label))

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Let the running mean of path lengths follow G too."""
        super().moved(player, means)
        if "length" in means:
            length = dist.mean_over_ranks(means["length"])
            self.path_mean.lerp_(torch.where(length.isfinite(), length, self.path_mean), self.hp.path_decay)
