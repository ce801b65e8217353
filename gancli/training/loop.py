"""The training loop. It names no variant, no network and no loss."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from gancli.data.feed import Feed
from gancli.engine import finite
from gancli.engine.finite import Health
from gancli.engine.step import SKIPPED, Meter, check_game, slow_down
from gancli.errors import Diverged, UserError
from gancli.gan import GAN, Clock
from gancli.system import dist
from gancli.system.processes.signals import Interrupted, Stop
from gancli.system.seeds import aside, seed_all
from gancli.training.recorder import Recorder
from gancli.training.saving import RETRY_SECONDS
from gancli.training.state import State

TICKS = 200  # most ticks in a run
SAVE_SECONDS = 300
SLOWER = 0.5  # learning-rate factor after training went back to a checkpoint
LAST_SECONDS = 120  # during which writing the last checkpoint is retried

# one step: micro-batches, clock, learning-rate factor -> every term and stat by name
Play = Callable[[Sequence[Any], Clock, float], dict[str, Tensor]]
Evaluate = Callable[[GAN[Any]], dict[str, float]]


# ------------------------------------------------------------------------------------------- schedule


@dataclass
class Schedule:
    """When a run logs, generates grids, evaluates and saves; intervals are in images seen; None means the default."""

    save: float | None = None  # default: every SAVE_SECONDS of wall time
    sample: float | None = None  # default: at powers of two of 1,000 images
    evaluate: float | None = None  # default: at the end
    _save_at: float = field(default=math.inf, init=False)  # wall time of the next checkpoint

    def tick_due(self, clock: Clock, batch: int) -> bool:
        """Return whether means are due; all ranks agree on it, so their joint work is done then."""
        every = max(1, min(500, int(clock.total / batch / TICKS)))
        return clock.step % every == 0 or clock.images >= clock.total

    def grid_due(self, before: int, now: int) -> bool:
        """Return whether a grid is due in (before, now]."""
        if self.sample:
            return _crossed(before, now, self.sample)
        return now >= 1000 and (before < 1000 or int(math.log2(before / 1000)) < int(math.log2(now / 1000)))

    def evaluation_due(self, before: int, now: int) -> bool:
        """Return whether an evaluation is due in (before, now]."""
        return _crossed(before, now, self.evaluate)

    def checkpoint_due(self, before: int, now: int) -> bool:
        """Return whether a checkpoint is due in (before, now]."""
        return time.monotonic() > self._save_at or _crossed(before, now, self.save)

    def saved(self, *, ok: bool = True) -> None:
        """Start waiting for the next checkpoint, or for another try."""
        by_clock = SAVE_SECONDS if self.save is None else math.inf
        self._save_at = time.monotonic() + (by_clock if ok else RETRY_SECONDS)


def _crossed(before: int, now: int, every: float | None) -> bool:
    return bool(every) and int(before // every) < int(now // every)  # pyright: ignore  bool(every) guards


# --------------------------------------------------------------------------------------------- watchers


class Display(Protocol):
    """Shows the progress of a run."""

    def advance(self, clock: Clock) -> None:
        """Show that a step is done."""

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Show new means."""

    def note(self, text: str) -> None:
        """Show a message."""


@dataclass(frozen=True)
class Watchers:
    """The display of a run, its evaluation, and its checks for problems."""

    display: Display
    evaluate: Evaluate | None = None  # measures the EMA networks
    look: Callable[[GAN[Any]], None] | None = None  # warns of problems in the generated images, at each evaluation
    means: Callable[[Mapping[str, float], float, int], None] = lambda _means, _progress, _step: None  # warns


# ------------------------------------------------------------------------------------------------ the loop


@dataclass
class Training:
    """A run: its networks, data, step function, schedule, watchers and recorder.

    Every rank has its own; only those of rank 0 write and report.
    """

    state: State
    feed: Feed[Any]
    play: Play
    schedule: Schedule
    watchers: Watchers
    recorder: Recorder = field(default_factory=Recorder)
    accumulate: int = 1  # micro-batches per step
    seed: int = 0
    go_back: Callable[[], None] | None = None  # restores the last good state
    stop: Stop = field(default_factory=Stop)
    metrics: dict[str, float] = field(default_factory=dict)  # the last evaluation
    _meter: Meter = field(default_factory=Meter)
    _health: Health = field(default_factory=Health)
    _ticked: tuple[float, int] = (0.0, 0)  # time and images at the last tick

    def train(self) -> Clock:
        """Train until the clock runs out or a stop is requested. Raise Diverged if training stays non-finite."""
        self._begin()
        while not self.state.done and not self._stopped():
            self.advance()
        if self.state.done:
            if self.watchers.evaluate:
                self._save()  # the evaluation may take long and be interrupted
            self.recorder.grid(self.state)
            self._evaluate()
        self._save_last()
        if not self.state.done:  # stopped: first what cannot be lost, then the images so far
            self.recorder.grid(self.state)
        self.recorder.end()
        return self.state.clock

    def advance(self) -> None:
        """Train for one step, then log, generate, evaluate and save as due."""
        before = self.state.clock.images
        self._meter.add(self.step())
        clock, now = self.state.clock, self.state.clock.images
        self.watchers.display.advance(clock)
        if self.schedule.tick_due(clock, self.feed.batch):
            self._tick()
        if self.state.clock.images != now or self.state.done:  # training returned to a checkpoint, or is done
            return
        if self.schedule.grid_due(before, now):
            self.recorder.grid(self.state)
        if self.schedule.evaluation_due(before, now):
            self._evaluate()
        if self.schedule.checkpoint_due(before, now):
            self._save()

    def step(self) -> dict[str, Tensor]:
        """Train for one step on the next batch."""
        state = self.state
        seed_all("step", self.seed, state.clock.step)  # a resumed run gets the same random numbers as an unbroken one
        state.gan.train()
        parts = self.feed.at(state.clock.images).split(self.accumulate)
        log = self.play(parts, state.clock, state.slower)
        self._health.add(log.pop(SKIPPED))
        state.advance(self.feed.batch)
        return log

    def _begin(self) -> None:
        check_game(self.state.gan, self.state.players)
        self.recorder.begin(self.state)
        self._ticked = time.monotonic(), self.state.clock.images
        self.schedule.saved()

    def _stopped(self) -> bool:
        if dist.world() == 1:
            return self.stop()
        if not self.schedule.tick_due(self.state.clock, self.feed.batch):  # all ranks stop at the same step
            return False
        return bool(dist.mean_over_ranks(torch.tensor(float(self.stop()), device=self.state.gan.device)) > 0)

    def _tick(self) -> None:
        """Log the means since the last tick; go back if weights or losses were not finite."""
        state, (then, images_then) = self.state, self._ticked
        means, (skipped, row) = self._meter.read(), self._health.read()
        self._ticked = time.monotonic(), state.clock.images
        elapsed, seen = self._ticked[0] - then, state.clock.images - images_then
        state.seconds += elapsed
        if row >= finite.IN_A_ROW or ((skipped or state.done) and not state.finite_on_all_ranks()):
            self._return(row)
            return
        tick = {
            **self._place(),
            "images_per_second": round(seen / max(elapsed, 1e-9), 2),
            **{name: value for name, value in means.items() if math.isfinite(value)},
            **({SKIPPED: skipped} if skipped else {}),
        }
        if skipped:
            self._note(f"{skipped} step{'s' * (skipped > 1)} skipped: loss or gradient not finite")
        self.recorder.log(tick)
        self.watchers.display.tick(tick)
        self.watchers.means(means, state.clock.progress, state.clock.step)

    def _place(self) -> dict[str, Any]:
        clock = self.state.clock
        return {"step": clock.step, "images": clock.images, "seconds": round(self.state.seconds, 3)}

    def _note(self, warning: str) -> None:
        self.watchers.display.note(f"warning   {warning}")

    def _return(self, row: int) -> None:
        """Go back once to the last good state, with half the learning rates. Raise Diverged the second time."""
        state = self.state
        where = f"{row} steps in a row" if row >= finite.IN_A_ROW else "the weights"
        said = f"{where} were not finite at step {state.clock.step}"
        if state.slower < 1:
            raise Diverged(f"{said} again, after returning to a checkpoint with half the learning rate")
        if self.go_back is None:
            raise Diverged(said)
        self.go_back()
        self.recorder.back(state)
        state.slower, self._health, self._meter = SLOWER, Health(), Meter()
        slow_down(state.players, state.slower)
        self._ticked = time.monotonic(), state.clock.images
        self._note(f"{said}: returning to step {state.clock.step} with half the learning rate")

    def _evaluate(self) -> None:
        watchers, ema = self.watchers, self.state.ema.gan
        if watchers.look is not None:
            with aside("watch", self.seed), torch.no_grad():
                watchers.look(ema)
        if watchers.evaluate is None:
            return
        with suppress(Interrupted), self.stop.interruptible(), aside("evaluate", self.seed):
            self.metrics = watchers.evaluate(ema)
        if self.stop() or not self.metrics:  # or no metric of the data applies to this GAN
            return
        tick = {**self._place(), **self.metrics}
        self.recorder.scores(tick)
        watchers.display.tick(tick)
        self.recorder.best(self.state, self.metrics)

    def _save(self) -> bool:
        """Write a checkpoint; return False if it failed and will be retried soon."""
        done = self.recorder.save(self.state, self.metrics)
        self.schedule.saved(ok=done)
        return done

    def _save_last(self) -> None:
        """Write the last checkpoint, retrying for a while unless a stop is requested. Raise UserError if it fails."""
        start, wait = time.monotonic(), 0.5
        while not self._save():
            spent = time.monotonic() - start
            if spent > (2 if self.stop() else LAST_SECONDS):
                raise UserError(f"the last checkpoint could not be written: {self.recorder.failure}")
            time.sleep(wait := min(2 * wait, 8.0 if not self.stop() else 1.0))
