"""Where a run is written: its log, grids and checkpoints."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gancli.capabilities import Classes, each_class
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About
from gancli.checkpoints.run_folder import Folder
from gancli.data.feed import Feed
from gancli.gan import GAN
from gancli.images import curves, scatter
from gancli.images.pixels import to_pixels
from gancli.images.sheets import PLAIN, Captions, View, class_caption, sheet
from gancli.images.writing import save_png
from gancli.metrics.table import selection_score
from gancli.system import atomic
from gancli.system.seeds import aside
from gancli.training import resuming
from gancli.training.loggers.logger import Loggers, Past
from gancli.training.saving import Saves
from gancli.training.state import State

GRID = 64  # images in a sample grid
ROW, MOST_ROWS = 10, 32  # in a grid of classes: images per class (row), and most classes
COLUMNS = 8

Numbers = Mapping[str, float]


class Grids:
    """Draw grids of training images and of images that the EMA networks generate."""

    def __init__(self, gan: GAN[Any], feed: Feed[Any], seed: int, view: View = PLAIN) -> None:
        self._gan, self._feed, self._seed, self._view = gan, feed, seed, view

    def reals(self, title: str = "") -> Image.Image:
        """Draw the first training images; points under a title."""
        if self._gan.spec.points:
            return scatter.draw(scatter.Plot(title, self._behind, scale=self._view.scale))
        real = self._feed.first(GRID)
        return sheet(to_pixels(next(t for t in vars(real).values() if t.dim() == 4)), view=View(self._view.scale))

    @torch.no_grad()
    def samples(self, title: str = "") -> Image.Image:
        """Draw generated images: panels of the data's first rows, a row per class, or points on real points."""
        with aside("grid", self._seed):
            if self._gan.spec.points:
                generated = scatter.to_points(self._gan.fakes(self._feed.first(scatter.SHOWN)))
                return scatter.draw(scatter.Plot(title, self._behind, generated, scale=self._view.scale))
            conditional = isinstance(self._gan, Classes) and self._gan.classes
            images, columns, captions = self._classes() if conditional else self._panels()
            return sheet(to_pixels(images), columns, captions, self._view)

    @cached_property
    def _behind(self) -> scatter.Background:
        """All points of the data set the view, so that all plots of it have the same axes."""
        return scatter.Background.of(scatter.to_points(self._feed.dataset.columns["image"]))

    def _panels(self) -> tuple[Tensor, int, Captions]:
        panels = self._gan.panels(self._feed.first(GRID))
        return interleaved(panels), COLUMNS, captions_of(panels, self._gan.panel_names())

    def _classes(self) -> tuple[Tensor, int, Captions]:
        """Generate a row per class, from the same noise in each."""
        gan: Any = self._gan
        images = gan.generate(each_class(gan, gan.prior(ROW))[: ROW * MOST_ROWS])
        names = [class_caption(name) for name in gan.classes]
        return images, ROW, Captions(tuple(names[:MOST_ROWS]))


def captions_of(panels: Sequence[Tensor], names: Sequence[str]) -> Captions:
    """Name the rows of interleaved panels; or their images, if there are too few of them for rows."""
    if len(names) != len(panels):
        return Captions()
    if len(panels) > 1 and len(panels[0]) < COLUMNS:
        return Captions(cells=tuple(name for name, panel in zip(names, panels) for _ in range(len(panel))))
    return Captions(tuple(names) * (len(panels[0]) // COLUMNS))


def interleaved(panels: Sequence[Tensor]) -> Tensor:
    """Order panels (N, C, H, W) for a grid: a row of the first panel above the same row of the second, and so on."""
    if len(panels) == 1 or len(panels[0]) < COLUMNS:
        return torch.cat(list(panels))
    whole = len(panels[0]) // COLUMNS
    rows = [panel[: whole * COLUMNS].unflatten(0, (whole, COLUMNS)) for panel in panels]
    return torch.stack(rows, 1).flatten(0, 2)


class Recorder:
    """Write nothing: for all ranks but the first, and for benchmarks."""

    @property
    def failure(self) -> str:
        """Describe what cannot be written, and where --resume can continue."""
        return ""

    def begin(self, state: State) -> None:
        """Write the first files of a run, unless it was resumed."""

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

    def back(self, state: State) -> None:
        """Forget what was logged after this state, to which training has returned."""

    def end(self) -> None:
        """Write the last files of a run."""


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
        loggers: Loggers,
    ) -> None:
        self._folder, self._about, self._data, self._grids = folder, about, data, grids
        self._resumed, self._note, self._loggers = resumed, note, loggers
        self._saves = Saves(folder, keep, lambda: atomic.write_json(folder.about, about), note)

    @property
    def failure(self) -> str:
        """Describe what cannot be written, and where --resume can continue."""
        return self._saves.failure

    def begin(self, state: State) -> None:
        """Write run.json and, for a new run, the grids of the data and of the untrained networks.

        Drop the log after a resumed step, and rename newer checkpoints that are damaged. Raise UserError if the folder
        is not writable.
        """
        self._saves.begin(state.clock.step)
        resuming.set_aside_newer(self._folder, self._resumed, self._note)
        grid = self._folder.grid(state.clock.images)
        self._loggers.begin(Past(state.clock.step, self._folder.ticks(), grid))
        if state.clock.step == 0:
            reals = self._folder.reals
            self._saves.attempt(
                reals.name, lambda: save_png(self._grids.reals(self._data), reals, {"synthetic": False})
            )
            self.grid(state)

    def log(self, tick: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl."""
        self._saves.log(tick)
        self._loggers.log(tick)

    def scores(self, tick: dict[str, Any]) -> None:
        """Append a line of metrics to metrics.jsonl, replacing the same metrics of that step."""
        self._saves.log_scores(tick)
        self._loggers.log(tick)

    def grid(self, state: State) -> None:
        """Write a sample grid, named by the images seen."""
        about = {"variant": self._about["variant"], "images": state.clock.images, "seed": self._about["seed"]}
        path = self._folder.grid(state.clock.images)
        title = f"{about['variant']} on {self._data}, {state.clock.images / 1000:g} kimg"

        def write() -> None:
            picture = self._grids.samples(title)
            save_png(picture, path, about)
            self._loggers.grid(state.clock.step, picture)

        self._saves.attempt("a sample grid", write)

    def save(self, state: State, metrics: Numbers) -> bool:
        """Write a checkpoint that can be resumed, unless weights are not finite."""
        if not state.finite():  # the next tick, if any, returns to a checkpoint
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
        """Return the score of the best checkpoint so far, read from its file; -inf if it has other metrics."""
        if not checkpoint.whole(self._folder.best):
            return -math.inf
        before = checkpoint.describe(self._folder.best).metrics
        return selection_score(before) if before.keys() == metrics.keys() else -math.inf

    def back(self, state: State) -> None:
        """Let the logs of other programs return; metrics.jsonl has been cut."""
        self._loggers.back(state.clock.step)

    def end(self) -> None:
        """Draw the curves, and end the logs."""
        path = self._folder.curves
        title = f"{self._folder.path.name}: {self._about['variant']} on {self._data}"
        self._saves.attempt(path.name, lambda: curves.save_curves(self._folder.ticks(), path, title))
        self._loggers.end()

    def _described(self, state: State, metrics: Numbers) -> About:
        about = self._about
        return About(
            variant=about["variant"],
            hparams=about["hparams"],
            data=about["spec"],
            clock=dataclasses.asdict(state.clock),
            run={"data": self._data, **{k: about[k] for k in ("seed", "precision", "digest")}, **about["versions"]},
            metrics=dict(metrics),
            source=about["source"],
        )
