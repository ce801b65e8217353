"""GANs that grow: training begins with small images, and layers for larger ones fade in (Karras et al. 2018)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.gan import Clock, Pace, Turn
from gancli.hparams import hparam
from gancli.nets.progan import Growing as Levels
from gancli.nets.progan import channels_of, enlarged, shrunk


@dataclass(frozen=True, kw_only=True)
class GrowingHParams(NoiseHParams):
    """Hyperparameters of networks that grow; the defaults are those of the authors' code for a single GPU."""

    batch: int = 16
    kimg: float = 12000.0
    ema_kimg: float = 11.0  # 0.999 per step of 16 images
    lr: float = 1e-3
    beta1: float = 0.0
    beta2: float = 0.99
    z_dim: int = 512
    width: int = hparam(512, "most channels of a level", min=1)
    channel_base: int = hparam(
        16384, "a level has this many channels divided by the pixels of its shorter side, up to --width", min=1
    )
    phase_kimg: float | None = hparam(
        None, "length of a phase, in which a level fades in or is trained alone, in kimg; default: see --grow-share",
        min=0.001,
    )  # fmt: skip
    grow_share: float = hparam(  # the paper's 16 phases of 600 kimg
        0.8, "share of training that is spent growing, in phases of equal length, unless --phase-kimg is given",
        min=0, max=1,
    )  # fmt: skip


class Stage(NamedTuple):
    """How far a network has grown; later ones are greater."""

    level: int
    alpha: float  # share of the newest level, which rises from 0 to 1 while it fades in


def stage_at(images: float, phase: float, first: int, top: int) -> Stage:
    """Return the stage after some images, for phases of so many: a level is stable, the next one fades in, and so on.

    As in the authors' code, each level but the first is trained for two phases, and the last one from then on.
    """
    phases = images / phase if phase else float("inf")
    if phases >= 2 * (top - first):
        return Stage(top, 1.0)
    grown = int(phases + 1) // 2
    return Stage(first + grown, min(phases + 1 - 2 * grown, 1.0) if grown else 1.0)


H = TypeVar("H", bound=GrowingHParams)


class Grows(NoiseToImage[H]):
    """Networks grow with the images seen; all of an image's levels are `G` and `D` of one size from the start."""

    first: ClassVar[int] = 0  # level that training starts with: the coarsest
    G: Levels
    D: Levels

    def __init__(self, hp: H, spec: Any) -> None:
        super().__init__(hp, spec)
        self._begun: Stage | None = None
        self._set(self.stage(Clock(0, 0, 1)))

    @property
    def channels(self) -> list[int]:
        """Return the channels of each level, coarsest first."""
        return channels_of(self.spec, self.hp.width, self.hp.channel_base)

    @property
    def start(self) -> int:
        """Return the level that training starts with."""
        return min(self.first, len(self.channels) - 1)

    def stage(self, clock: Clock, before: int = 0) -> Stage:
        """Return the stage of a step, or of one `before` so many images."""
        top = len(self.channels) - 1
        if self.start == top:
            return Stage(top, 1.0)
        return stage_at(max(clock.images - before, 0), self.phase(clock.total), self.start, top)

    def phase(self, total: int) -> float:
        """Return the images in a phase of a run."""
        given = self.hp.phase_kimg
        return given * 1000 if given else self.hp.grow_share * total / (2 * (len(self.channels) - 1 - self.start))

    def paces(self, begin: int, total: int) -> list[Pace]:
        """Return one for each level that the networks are trained at."""
        steps = len(self.channels) - 1 - self.start
        if not steps:
            return super().paces(begin, total)
        ends = [(2 * i + 1) * self.phase(total) for i in range(steps)]
        spans = list(pairwise([0, *ends, max(float(total), ends[-1])]))
        seen = [max(0.0, min(end, total) - max(start, begin)) for start, end in spans]
        seen[-1] = seen[-1] if any(seen) else 1.0  # nothing is left
        return [Pace(int((start + end) / 2), images / sum(seen)) for (start, end), images in zip(spans, seen)]

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Play a step at the level of the clock. Optimisers forget what they know when a level is added."""
        begun, now = self._continued(), self.stage(clock)
        now = max(begun, now)
        self._set(now)
        real = self._real(batch.image, now)
        with torch.no_grad():
            fake = self.draw(self.prior(len(batch)), now.level)
        added = self._added(now, begun, clock, steps=1)
        yield Turn("D", self.d_terms(real, fake) | self.slopes(self.D, real, fake, clock), fresh=added)
        if clock.every(self.hp.n_critic):
            objective = self.g_terms(self.draw(self.prior(len(batch)), now.level))
            stats = {"level": self.G.level.float(), "alpha": self.G.alpha}
            yield Turn("G", objective, stats, self._added(now, begun, clock, steps=self.hp.n_critic))

    def draw(self, z: Tensor, level: int) -> Tensor:
        """Generate images of a level, for training: in float32, not clamped to [-1, 1]."""
        return self.G(z, level).float()

    def generate(self, z: Tensor) -> Tensor:
        """Generate images at the resolution of the data, whatever the level."""
        return self._finished(self.G(z))

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Return how real D takes each image for, at its level."""
        del z
        return self.D(shrunk(image, 1 << (self.D.top - self.D.grown())))

    def _finished(self, image: Tensor) -> Tensor:
        return enlarged(image.float(), self.spec.height // image.shape[2]).clamp(-1, 1)

    def _real(self, image: Tensor, now: Stage) -> Tensor:
        """Shrink real images to a level; while it fades in, they fade likewise, as in the authors' code."""
        image = shrunk(image, 1 << (self.D.top - now.level))
        return image if now.alpha == 1 else torch.lerp(enlarged(shrunk(image)), image, now.alpha)

    def _added(self, now: Stage, begun: Stage, clock: Clock, steps: int) -> bool:
        """Return whether the level is new within so many steps."""
        return now.level > max(begun, self.stage(clock, steps * self.hp.batch)).level

    def _continued(self) -> Stage:
        """Return the stage that this process began with: a run that is made longer must not shrink."""
        if self.G.level.is_meta:
            return Stage(self.start, 0.0)
        if self._begun is None:  # once: it waits for the device
            self._begun = Stage(self.G.grown(), float(self.G.alpha))
        return self._begun

    def _set(self, stage: Stage) -> None:
        for network in (self.G, self.D):
            network.grow(*stage)
