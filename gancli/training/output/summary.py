"""Print the result of a run after its last step."""

import dataclasses

from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import Folder
from gancli.metrics import table
from gancli.system import dist
from gancli.system.progress import duration
from gancli.system.untrusted.terminal import say_json
from gancli.training.loop import Training
from gancli.training.options import RunOptions
from gancli.training.output import next_steps
from gancli.training.output.display import Quiet


def finish(training: Training, folder: Folder, options: RunOptions, display: Quiet, resume: str) -> int:
    """Print how a run ended and what to do next (`resume` continues it), and return its exit code."""
    stop, clock, seconds = training.stop, training.state.clock, training.state.seconds
    if dist.rank() == 0:
        newest = folder.checkpoints()[-1] if folder.checkpoints() else None
        seen = f"{clock.images / 1000:g} kimg in {duration(seconds)}"
        said = _said(training.metrics)
        display.note(f"{'stopped after' if stop() else 'trained'} {seen}{said}")
        if folder.best.is_file():
            display.note(f"best      {_best(folder)}")
        commands = ([resume] if stop() else []) + ([next_steps.use(training.state.gan, folder.path)] if newest else [])
        for i, command in enumerate(commands):
            display.note(f"{'' if i else 'next':<10}{command}")
        if options.json:
            result = {"run": str(folder.path), "checkpoint": newest and str(newest), **dataclasses.asdict(clock)}
            result |= {
                "seconds": seconds,
                "metrics": training.metrics,
                "best": _best_metrics(folder),
                "stopped": stop(),
                "next": commands,
            }
            say_json(result)
    return stop.exit_code


def _said(metrics: dict[str, float]) -> str:
    return "".join(f", {name.replace('_', ' ')} {table.shown(name, value)}" for name, value in metrics.items())


def _best(folder: Folder) -> str:
    about = checkpoint.describe(folder.best)
    return f"{folder.best} at {about.clock['images'] / 1000:g} kimg{_said(about.metrics)}"


def _best_metrics(folder: Folder) -> dict[str, float] | None:
    return checkpoint.describe(folder.best).metrics if folder.best.is_file() else None
