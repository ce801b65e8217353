"""Print the training plan before the first step, and the result after the last."""

import dataclasses
import math
import shlex
from pathlib import Path
from typing import Any

import torch

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import Folder, seen
from gancli.data.dataset import Dataset
from gancli.engine.precision import Choice
from gancli.engine.step import apart_in_parts
from gancli.engine.timing import StepCost
from gancli.gan import GAN, Fills, Samples
from gancli.metrics import table
from gancli.system import dist
from gancli.system.untrusted.terminal import say_json
from gancli.training.display import Quiet, duration
from gancli.training.length import Length
from gancli.training.loop import Training
from gancli.training.options import RunOptions
from gancli.training.state import State


def tell_plan(
    display: Quiet,
    about: dict[str, Any],
    choice: Choice,
    state: State,
    dataset: Dataset[Any],
    folder: Folder,
    newest: Path | None,
    length: Length,
) -> None:
    """Print the training plan."""
    variant, spec, gan, total = about["variant"], dataset.spec, state.gan, state.clock.total
    sizes = ", ".join(f"{name} {_count(net)}" for name, net in gan.named_children() if _count(net) != "0")
    count = torch.get_num_threads()
    threads = f", {count} thread{'s' * (count > 1)}" if about["device"] == "cpu" else ""
    ranks = f", {dist.world()} processes" if dist.world() > 1 else ""
    steps, epochs = math.ceil(total / gan.hp.batch), total / len(dataset)
    start = f", resumed from {newest.name}" if newest else ""
    recommended = " (recommended: gancli list shows the others)" if registry.describe(variant).recommended else ""
    display.note(f"variant   {variant}{recommended}")
    for i, note in enumerate(dataset.notes):
        display.note(f"{'data' if i == 0 else '':<10}{dataset.name + ': ' if i == 0 else ''}{note}")
    size = "points" if spec.points else f"{spec.width}x{spec.height}"
    display.note(f"image     {size}, {spec.channels} channel{'s' * (spec.channels > 1)}")
    display.note(f"networks  {sizes} parameters")
    if about["suited"]:
        said = ", ".join(f"{name} {value}" for name, value in about["suited"].items())
        display.note(
            f"preset    {said} (for this data and device; options override it, --preset paper gives the paper's)"
        )
    display.note(f"device    {about['device']}{threads}{ranks}")
    display.note(f"precision {choice}")
    display.note(
        f"length    {_asked(length)}{total / 1000:g} kimg: {_rounded(epochs)} epochs, {steps:,} steps of {gan.hp.batch}"
    )
    if length.cost:
        display.note(f"time      {_time(length.cost, total - (seen(newest) if newest else 0), gan.hp.batch)}")
    if (parts := about["options"]["accumulate"]) > 1:
        said = f"; {apart}" if (apart := apart_in_parts(gan)) else ""
        display.note(f"batch     {parts} micro-batches of {gan.hp.batch // (parts * dist.world())}{said}")
    display.note(f"out       {folder.path}{start}")


def _asked(length: Length) -> str:
    return f"{length.measured.minutes:g} minutes, about " if length.measured else ""


def _rounded(number: float) -> str:
    """Format a number with three digits, or without a fraction."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _time(cost: StepCost, images: int, batch: int) -> str:
    """Format how long training on the images will take, and the memory."""
    rate, memory = batch / cost.seconds, f"; {cost.memory / 2**30:.2g} GiB of memory" if cost.memory else ""
    return f"about {duration(images / rate)} at {rate:,.{0 if rate > 9 else 2}f} images/s{memory}"


def _count(network: torch.nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"


def finish(training: Training, folder: Folder, options: RunOptions, display: Quiet) -> int:
    """Print how a run ended and return its exit code."""
    stop, clock, seconds = training.stop, training.state.clock, training.state.seconds
    if dist.rank() == 0:
        newest = folder.checkpoints()[-1] if folder.checkpoints() else None
        seen = f"{clock.images / 1000:g} kimg in {duration(seconds)}"
        said = _said(training.metrics)
        display.note(f"{'stopped after' if stop() else 'trained'} {seen}{said}")
        if folder.best.is_file():
            display.note(f"best      {_best(folder)}")
        if newest:
            display.note(f"next      {_use(training.state.gan, newest)}")
        if options.json:
            result = {"run": str(folder.path), "checkpoint": newest and str(newest), **dataclasses.asdict(clock)}
            result |= {
                "seconds": seconds,
                "metrics": training.metrics,
                "best": _best_metrics(folder),
                "stopped": stop(),
            }
            say_json(result)
    return stop.exit_code


def _use(gan: GAN[Any], newest: Path) -> str:
    """Return the command that shows what was trained."""
    path = shlex.quote(str(newest))
    if isinstance(gan, Samples):
        return f"gancli sample {path}"
    return f"gancli translate {path} IMAGE{' --mask X,Y,W,H' if isinstance(gan, Fills) else ''}"


def _said(metrics: dict[str, float]) -> str:
    return "".join(f", {name.replace('_', ' ')} {table.shown(name, value)}" for name, value in metrics.items())


def _best(folder: Folder) -> str:
    about = checkpoint.describe(folder.best)
    return f"{folder.best} at {about.clock['images'] / 1000:g} kimg{_said(about.metrics)}"


def _best_metrics(folder: Folder) -> dict[str, float] | None:
    return checkpoint.describe(folder.best).metrics if folder.best.is_file() else None
