"""GANs that grow: training begins with small images, and layers for larger ones fade in (Karras et al. 2018).

All layers are there from the start; what is used of them is a function of the images seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor

from gancli.families.high_fidelity.styles import bounded
from gancli.gan import GAN, Clock, Pace
from gancli.hparams import HParams, hparam
from gancli.nets.high_fidelity.progan import Growing, channels_of, enlarged, shrunk


@dataclass(frozen=True, kw_only=True)
class GrowingHParams(HParams):
    """When networks grow, and how wide they are."""

    width: int = hparam(512, "most channels of a level", min=1)
    channel_base: int = hparam(16384, "channels of a level times its shorter side, up to --width", min=1)
    grow: bool = hparam(True, "let the networks grow; else train on images of full size from the start")
    phase_kimg: float | None = hparam(
        None, "length of a phase, in which a level fades in or is trained alone, in kimg; default: see --grow-share",
        min=0.001,
    )  # fmt: skip
    grow_share: float = hparam(  # of 12,000 kimg at 1024 pixels, 16 phases of the authors' 600 kimg
        0.8, "share of training spent growing, in phases of equal length, unless --phase-kimg is given", min=0, max=1
    )


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


class Grows(GAN[H]):
    """Networks grow with the images seen. A variant builds them for `channels` from the level `start` on.

    In `play` it asks `grow` for the stage, shrinks real images with `reals`, and tells the loop with `fresh` that a
    level was added; what it generates for users gets the size of the data from `finished`.
    """

    first: ClassVar[int] = 0  # level that training starts with: the coarsest
    _begun: Stage | None = None

    @property
    def channels(self) -> list[int]:
        """Return the channels of each level, coarsest first."""
        return channels_of(self.spec, self.hp.width, self.hp.channel_base)

    @property
    def top(self) -> int:
        """Return the last level, of the data's resolution."""
        return len(self.channels) - 1

    @property
    def start(self) -> int:
        """Return the level that training starts with."""
        return min(self.first, self.top) if self.hp.grow else self.top

    # ------------------------------------------------------------------------------------------------- when

    def stage(self, clock: Clock, before: int = 0) -> Stage:
        """Return the stage of a step, or of one `before` so many images."""
        if self.start == self.top:
            return Stage(self.top, 1.0)
        stage = stage_at(max(clock.images - before, 0), self.phase(clock.total), self.start, self.top)
        return max(stage, self._continued())

    def phase(self, total: int) -> float:
        """Return the images in a phase of a run."""
        given = self.hp.phase_kimg
        return given * 1000 if given else self.hp.grow_share * total / (2 * (self.top - self.start))

    def paces(self, begin: int, total: int) -> list[Pace]:
        """Return one for each level that the networks are trained at."""
        begun = self._begun or self._reached()  # not kept: weights may be loaded after this
        if begun.level == self.top:
            return super().paces(begin, total)
        ends = [(2 * i + 1) * self.phase(total) for i in range(self.top - self.start)]
        spans = list(pairwise([0, *ends, max(float(total), ends[-1])]))
        seen = [max(0.0, min(end, total) - max(start, begin)) for start, end in spans]
        seen[-1] = seen[-1] if any(seen) else 1.0  # nothing is left
        return [Pace(int((start + end) / 2), images / sum(seen)) for (start, end), images in zip(spans, seen)]

    def _continued(self) -> Stage:
        """Return the stage that this process began with: a longer run, or one from a model, must not shrink."""
        if self._begun is None:  # once: it waits for the device
            self._begun = self._reached()
        return self._begun

    def _reached(self) -> Stage:
        """Return the stage of the networks."""
        network = next(self._networks())
        return Stage(self.start, 0.0) if network.level.is_meta else Stage(network.grown(), float(network.alpha))

    # ---------------------------------------------------------------------------------------------- in a step

    def grow(self, clock: Clock) -> Stage:
        """Set the stage of a step, and return it."""
        now = self.stage(clock)
        for network in self._networks():
            network.grow(*now)
        return now

    def fresh(self, clock: Clock, steps: int = 1) -> bool:
        """Return whether a level was added within the last steps: optimisers then begin anew (appendix A.1)."""
        return self.stage(clock).level > self.stage(clock, steps * self.hp.batch).level

    def reals(self, image: Tensor, now: Stage) -> Tensor:
        """Shrink real images to a level; while it fades in, they fade likewise, as in the authors' code."""
        image = shrunk(image, 1 << (self.top - now.level))
        return image if now.alpha == 1 else torch.lerp(enlarged(shrunk(image)), image, now.alpha)

    # ----------------------------------------------------------------------------------------------- after it

    def finished(self, image: Tensor) -> Tensor:
        """Enlarge images of a level to the size of the data, in [-1, 1]."""
        return bounded(enlarged(image.float(), self.spec.height // image.shape[2]))

    def progress(self, now: Stage) -> Tensor:
        """Return the level for the log; it rises evenly while one fades in."""
        return torch.full((), sum(now) - 1, device=self.device)

    def unfinished(self, image: Tensor) -> Tensor:
        """Shrink images of the size of the data to the level of the networks."""
        return shrunk(image, 1 << (self.top - next(self._networks()).grown()))

    def _networks(self) -> Iterator[Growing]:
        return (network for network in self.modules() if isinstance(network, Growing))
