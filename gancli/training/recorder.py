"""Where a run is written: its log, grids and checkpoints."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import Folder
from gancli.images import curves
from gancli.images.writing import save_png
from gancli.metrics.table import selection_score
from gancli.system import atomic
from gancli.training import resuming
from gancli.training.grids import Grids
from gancli.training.saving import Saves
from gancli.training.state import State

Numbers = Mapping[str, float]


class Recorder:
    """Write nothing: for all ranks but the first, and for benchmarks."""

    @property
    def failure(self) -> str:
        """Describe what cannot be written, and where --resume can continue."""
        return ""

    def begin(self, state: State) -> None:
        """Write the files that a run starts with, unless it was resumed."""

    def log(self, tick: dict[str, Any]) -> None:
        """Write the means since the last tick."""

    def scores(self, tick: dict[str, Any]) -> None:
        """Write the metrics of an evaluation."""

    def grid(self, state: State) -> None:
        """Write a sample grid."""

    def save(self, state: State, metrics: Numbers) -> bool:
        """Write a checkpoint; return False if that failed and should be retried."""
        del state, metrics
        return True

    def best(self, state: State, metrics: Numbers) -> None:
        """Write the best checkpoint, if this evaluation is better than those before."""

    def end(self) -> None:
        """Write what a run ends with."""


class RunRecorder(Recorder):
    """Write the files of a run folder."""

    def __init__(
        self,
        folder: Folder,
        about: dict[str, Any],  # the content of run.json
        data: str,  # the name of the data set
        grids: Grids,
        keep: int,  # checkpoints
        resumed: Path | None,  # the checkpoint that training continues from
        note: Callable[[str], None],
    ) -> None:
        self._folder, self._about, self._data, self._grids = folder, about, data, grids
        self._resumed, self._note = resumed, note
        self._saves = Saves(folder, keep, lambda: atomic.write_json(folder.about, about), note)

    @property
    def failure(self) -> str:
        """Describe what cannot be written, and where --resume can continue."""
        return self._saves.failure

    def begin(self, state: State) -> None:
        """Write run.json, and of a new run the grids of the data and of the untrained networks.

        Drop the log after a resumed step, and rename newer checkpoints that are damaged. Raise UserError if the folder
        is not writable.
        """
        self._saves.begin(state.clock.step)
        resuming.set_aside_newer(self._folder, self._resumed, self._note)
        if state.clock.step == 0:
            reals = self._folder.reals
            self._saves.attempt(reals.name, lambda: save_png(self._grids.reals(), reals, {"synthetic": False}))
            self.grid(state)

    def log(self, tick: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl."""
        self._saves.log(tick)

    def scores(self, tick: dict[str, Any]) -> None:
        """Append a line of metrics to metrics.jsonl, in place of the same ones of that step."""
        self._saves.log_scores(tick)

    def grid(self, state: State) -> None:
        """Write a sample grid, named by the images seen."""
        about = {"variant": self._about["variant"], "images": state.clock.images, "seed": self._about["seed"]}
        path = self._folder.grid(state.clock.images)
        self._saves.attempt("a sample grid", lambda: save_png(self._grids.samples(), path, about))

    def save(self, state: State, metrics: Numbers) -> bool:
        """Write a checkpoint that can be resumed; none of weights that are not finite."""
        if not state.finite():  # the next tick, if any, goes back
            self._note("warning   the weights are not finite: no checkpoint written")
            return True
        about = self._described(state, metrics)
        about.run.update({"slower": state.slower} if state.slower < 1 else {})
        return self._saves.save(
            state.clock.images, lambda path: checkpoint.save(path, about, state.gan, state.players, state.ema)
        )

    def best(self, state: State, metrics: Numbers) -> None:
        """Write best.safetensors if these metrics are better than those in the file."""
        if selection_score(metrics) > self._best_score(metrics):
            about = self._described(state, metrics)
            self._saves.attempt(
                "the best checkpoint", lambda: checkpoint.save_served(self._folder.best, about, state.ema)
            )

    def _best_score(self, metrics: Numbers) -> float:
        """Return the score of the best checkpoint so far, read from its file; -inf if its metrics are others."""
        if not checkpoint.whole(self._folder.best):
            return -math.inf
        before = checkpoint.describe(self._folder.best).metrics
        return selection_score(before) if before.keys() == metrics.keys() else -math.inf

    def end(self) -> None:
        """Draw the curves."""
        path = self._folder.curves
        self._saves.attempt(path.name, lambda: curves.save_curves(self._folder.ticks(), path))

    def _described(self, state: State, metrics: Numbers) -> checkpoint.About:
        about = self._about
        return checkpoint.About(
            variant=about["variant"],
            hparams=about["hparams"],
            data=about["spec"],
            clock=dataclasses.asdict(state.clock),
            run={"data": self._data, **{k: about[k] for k in ("seed", "precision", "digest")}, **about["versions"]},
            metrics=dict(metrics),
            source=about["source"],
        )
