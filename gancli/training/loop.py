"""The training loop. It names no variant, no network and no loss."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.optim import Optimizer

from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.run_folder import Folder
from gancli.data.feed import Feed
from gancli.engine import finite
from gancli.engine.finite import Health
from gancli.engine.step import SKIPPED, Meter, check_game, slow_down
from gancli.errors import Diverged, UserError
from gancli.gan import GAN, Classes, Clock, each_class
from gancli.images import scatter
from gancli.images.pixels import grid, to_pixels
from gancli.images.writing import save_png
from gancli.system import dist
from gancli.system.processes.signals import Interrupted
from gancli.system.seeds import aside, seed_all
from gancli.training.diagnostics import DominanceCheck
from gancli.training.grids import COLUMNS, GRID, MOST_ROWS, ROW, interleaved
from gancli.training.saving import RETRY_SECONDS, Saves

Play = Callable[
    [Sequence[Any], Clock, float], dict[str, Tensor]
]  # one step: micro-batches, clock, learning-rate factor
Evaluate = Callable[[GAN[Any]], dict[str, float]]

TICKS = 200  # most ticks in a run
SAVE_SECONDS = 300
SLOWER = 0.5  # learning-rate factor after training went back to a checkpoint
LAST_SECONDS = 120  # for which writing the last checkpoint is retried


# ------------------------------------------------------------------------------------------------- a run


class Display(Protocol):
    """Shows the progress of a run."""

    def advance(self, clock: Clock) -> None:
        """Show that a step is done."""

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Show new means."""

    def note(self, text: str) -> None:
        """Show a message."""


@dataclass(frozen=True)
class Rhythm:
    """Intervals of checkpoints, grids and evaluations, in images seen; None means the default."""

    save: float | None = None  # default: every SAVE_SECONDS of wall time
    sample: float | None = None  # default: at powers of two of 1,000 images
    evaluate: float | None = None  # default: at the end

    def grid_due(self, before: int, now: int) -> bool:
        """Tell whether a grid is due in (before, now]."""
        if self.sample:
            return _crossed(before, now, self.sample)
        return now >= 1000 and (before < 1000 or int(math.log2(before / 1000)) < int(math.log2(now / 1000)))


def _crossed(before: int, now: int, every: float | None) -> bool:
    return bool(every) and int(before // every) < int(now // every)  # pyright: ignore  bool(every) guards


@dataclass
class Training:
    """A run in progress: its state, its files and its display."""

    gan: GAN[Any]
    players: Mapping[str, Optimizer]
    ema: EMA
    feed: Feed[Any]
    clock: Clock
    saves: Saves
    folder: Folder
    display: Display
    describe: Callable[[Clock, dict[str, float]], checkpoint.About]
    play: Play
    rhythm: Rhythm = field(default_factory=Rhythm)
    evaluate: Evaluate | None = None
    watch: Callable[[GAN[Any]], None] | None = None  # warns of problems, at each evaluation
    selection_score: Callable[[Mapping[str, float]], float] | None = (
        None  # of metrics; the best checkpoint maximises it
    )
    accumulate: int = 1  # micro-batches per step
    winner: DominanceCheck = field(default_factory=lambda: DominanceCheck(lambda _: None))
    seed: int = 0
    seconds: float = 0.0  # of training so far, including before resuming
    metrics: dict[str, float] = field(default_factory=dict)  # the last evaluation
    go_back: Callable[[], Clock] | None = None  # restores the last good state
    slower: float = 1.0  # factor on the learning rates since training went back
    stop: Callable[[], bool] = lambda: False
    interruptible: Callable[[], AbstractContextManager[Any]] = nullcontext  # a signal ends the block with Interrupted
    _meter: "Meter" = field(default_factory=Meter)
    _health: Health = field(default_factory=Health)
    _ticked: tuple[float, int] = (0.0, 0)  # time and images at the last tick
    _save_at: float = math.inf  # wall time of the next checkpoint

    def train(self) -> Clock:
        """Train until the clock runs out or a stop is requested. Raise Diverged if training stays non-finite."""
        self._begin()
        while self.clock.images < self.clock.total and not self._stopped():
            self.advance()
        if self.clock.images >= self.clock.total:
            if self.evaluate:
                self._save()  # the evaluation may take long and be interrupted
            self._grid()
            self._evaluate()
        self._save_last()
        return self.clock

    def advance(self) -> None:
        """Train for one step, then log, generate, evaluate and save as due."""
        before = self.clock.images
        self._meter.add(self.step())
        self.display.advance(self.clock)
        now = self.clock.images
        if self.clock.step % self._tick_every() == 0 or now >= self.clock.total:
            self._tick()
        if self.clock.images != now or now >= self.clock.total:
            return
        if self.rhythm.grid_due(before, now):
            self._grid()
        if _crossed(before, now, self.rhythm.evaluate):
            self._evaluate()
        if time.monotonic() > self._save_at or _crossed(before, now, self.rhythm.save):
            self._save()

    def step(self) -> dict[str, Tensor]:
        """Train for one step on the next batch."""
        clock, feed = self.clock, self.feed
        seed_all("step", self.seed, clock.step)  # a resumed run gets the same random numbers as an unbroken one
        self.gan.train()
        parts = feed.at(clock.images).split(self.accumulate)
        log = self.play(parts, clock, self.slower)
        self._health.add(log.pop(SKIPPED))
        self.clock = Clock(clock.step + 1, clock.images + feed.batch, clock.total)
        self.ema.update(self.gan.hp.ema_kimg * 1000, feed.batch, self.clock.images)
        return log

    def _begin(self) -> None:
        check_game(self.gan, self.players)
        self._ticked = time.monotonic(), self.clock.images
        self._save_later(ok=True)
        if self.clock.step == 0 and dist.rank() == 0:
            path, about = self.folder.reals, {"synthetic": False}
            self.saves.attempt("reals.png", lambda: save_png(self._picture_of_reals(), path, about))
            self._grid()

    def _picture_of_reals(self) -> Image.Image:
        if self.gan.spec.points:
            return scatter.plot(real=self._points())
        real = self.feed.first(GRID)
        reals = next(t for t in vars(real).values() if t.dim() == 4)
        return grid(to_pixels(reals))

    def _points(self) -> scatter.Points:
        return scatter.to_points(self.feed.first(scatter.SHOWN).image)

    def _tick_every(self) -> int:
        steps = self.clock.total / self.feed.batch
        return max(1, min(500, int(steps / TICKS)))

    def _stopped(self) -> bool:
        if dist.world() == 1:
            return self.stop()
        if self.clock.step % self._tick_every():  # all ranks stop at the same step
            return False
        return bool(dist.mean_over_ranks(torch.tensor(float(self.stop()), device=self.gan.device)) > 0)

    def _tick(self) -> None:
        means, (then, images_then) = self._meter.read(), self._ticked
        skipped, row = self._health.read()
        self._ticked = time.monotonic(), self.clock.images
        elapsed, seen = self._ticked[0] - then, self.clock.images - images_then
        self.seconds += elapsed
        tick = {
            "step": self.clock.step,
            "images": self.clock.images,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(seen / max(elapsed, 1e-9), 2),
            **{name: value for name, value in means.items() if math.isfinite(value)},
            **({SKIPPED: skipped} if skipped else {}),
        }
        if row >= finite.IN_A_ROW or ((skipped or self.clock.images >= self.clock.total) and not self._all_finite()):
            self._return(row)
            return
        if dist.rank() == 0:
            if skipped:
                self.display.note(f"warning   {skipped} step{'s' * (skipped > 1)} skipped: loss or gradient not finite")
            self.saves.log(tick)
            self.display.tick(tick)
            self.winner.tick(means, self.clock.progress)

    def _finite(self) -> bool:
        """Tell whether this process's weights and buffers are all finite."""
        return finite.finite(t for m in (self.gan, self.ema.gan) for t in (*m.parameters(), *m.buffers()))

    def _all_finite(self) -> bool:
        lost = torch.tensor(float(not self._finite()), device=self.gan.device)
        return not bool(dist.mean_over_ranks(lost))

    def _return(self, row: int) -> None:
        """Go back once to the last good state, with half the learning rates. Raise Diverged the second time."""
        where = f"{row} steps in a row" if row >= finite.IN_A_ROW else "the weights"
        said = f"{where} were not finite at step {self.clock.step}"
        if self.slower < 1 or self.go_back is None:
            raise Diverged(
                said
                + (" again, after returning to a checkpoint with half the learning rate" if self.slower < 1 else "")
            )
        self.clock = self.go_back()
        self.slower, self._health, self._meter = SLOWER, Health(), Meter()
        slow_down(self.players, self.slower)
        self._ticked = time.monotonic(), self.clock.images
        self.display.note(f"warning   {said}: returning to step {self.clock.step} with half the learning rate")

    def _grid(self) -> None:
        if dist.rank() == 0:
            variant = self.describe(self.clock, {}).variant
            about = {"variant": variant, "images": self.clock.images, "seed": self.seed}
            path = self.folder.grid(self.clock.images)
            self.saves.attempt("a sample grid", lambda: save_png(self._picture(), path, about))

    def _picture(self) -> Image.Image:
        if self.gan.spec.points:
            return scatter.plot(self._drawn_points(), self._points())
        drawn, columns = self.draw_classes() if isinstance(self.gan, Classes) else (self.draw(GRID), COLUMNS)
        return grid(to_pixels(drawn), columns)

    @torch.no_grad()
    def _drawn_points(self) -> scatter.Points:
        with aside("grid", self.seed):
            return scatter.to_points(self.ema.gan.fakes(self.feed.first(scatter.SHOWN)))

    @torch.no_grad()
    def draw(self, n: int) -> Tensor:
        """Generate panels for the first `n` rows of the data with the EMA networks, always from the same noise."""
        with aside("grid", self.seed):
            return interleaved(self.ema.gan.panels(self.feed.first(n)))

    @torch.no_grad()
    def draw_classes(self) -> tuple[Tensor, int]:
        """Generate one row per class with the EMA networks, from the same noise; return it with the row length."""
        gan: Any = self.ema.gan
        with aside("grid", self.seed):
            z = gan.prior(ROW)
            return gan.generate(each_class(gan, z)[: ROW * MOST_ROWS]), ROW

    def _evaluate(self) -> None:
        if self.watch is not None and dist.rank() == 0:
            with aside("watch", self.seed), torch.no_grad():
                self.watch(self.ema.gan)
        if self.evaluate is None or dist.rank() != 0:
            return
        with suppress(Interrupted), self.interruptible(), aside("evaluate", self.seed):
            self.metrics = self.evaluate(self.ema.gan)
        if self.stop() or not self.metrics:  # or no metric of the data applies to this GAN
            return
        tick = {"step": self.clock.step, "images": self.clock.images, "seconds": round(self.seconds, 3), **self.metrics}
        self.saves.log_scores(tick)
        self.display.tick(tick)
        self._keep_best()

    def _keep_best(self) -> None:
        if self.selection_score is None or not self.selection_score(self.metrics) > self._best_score(
            self.selection_score
        ):
            return
        about = self.describe(self.clock, self.metrics)
        self.saves.attempt("the best checkpoint", lambda: checkpoint.save_served(self.folder.best, about, self.ema))

    def _best_score(self, score: Callable[[Mapping[str, float]], float]) -> float:
        """Return the score of the best checkpoint so far, read from its file; -inf if its metrics are others."""
        if not checkpoint.whole(self.folder.best):
            return -math.inf
        before = checkpoint.describe(self.folder.best).metrics
        return score(before) if before.keys() == self.metrics.keys() else -math.inf

    def _save(self) -> bool:
        """Write a checkpoint; return False if that failed and will be retried soon."""
        if dist.rank() != 0:
            return True
        if not self._finite():  # the next tick, if any, goes back
            self.display.note("warning   the weights are not finite: no checkpoint written")
            return True
        about = self.describe(self.clock, self.metrics)
        about.run.update({"slower": self.slower} if self.slower < 1 else {})
        done = self.saves.save(
            self.clock.images, lambda path: checkpoint.save(path, about, self.gan, self.players, self.ema)
        )
        self._save_later(ok=done)
        return done

    def _save_later(self, *, ok: bool) -> None:
        by_clock = SAVE_SECONDS if self.rhythm.save is None else math.inf
        self._save_at = time.monotonic() + (by_clock if ok else RETRY_SECONDS)

    def _save_last(self) -> None:
        """Write the last checkpoint, retrying for long unless a stop is requested. Raise UserError if that fails."""
        start, wait = time.monotonic(), 0.5
        while not self._save():
            spent = time.monotonic() - start
            if spent > (2 if self.stop() else LAST_SECONDS):
                raise UserError(f"the last checkpoint could not be written: {self.saves.failure}")
            time.sleep(wait := min(2 * wait, 8.0 if not self.stop() else 1.0))
