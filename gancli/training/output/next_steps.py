"""The commands that go on from a run: use its model, or continue its training."""

import dataclasses
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gancli import registry
from gancli.capabilities import Fills, Samples, Translates
from gancli.checkpoints.run_folder import RUNS
from gancli.gan import GAN
from gancli.hparams import AUTO, option_of, words
from gancli.training.options import RunOptions


def use(gan: GAN[Any] | type[GAN[Any]], run: Path) -> str:
    """Return the command that makes images with the model of a run: what a model can do depends on its variant."""
    name = shlex.quote(model(run))
    if isinstance(gan, Samples):
        return f"gancli sample {name}"
    if isinstance(gan, Translates):
        return f"gancli translate {name} IMAGE"
    if isinstance(gan, Fills):
        return f"gancli translate {name} IMAGE --mask X,Y,W,H"
    return f"gancli info {name}"


def resume(variant: str, values: Mapping[str, Any], options: RunOptions, run: Path) -> str:
    """Return the command that continues a run: its own options, with --resume and the run's folder."""
    known = registry.hyperparameters(variant)
    defaults = RunOptions()
    given = {name: _said(known, name, value) for name, value in values.items()}
    given |= {
        f.name: value for f in dataclasses.fields(options) if (value := getattr(options, f.name)) != _of(defaults, f)
    }
    given |= {"out": run, "resume": True}
    options_ = [word for name, value in given.items() for word in option(name, value)]
    return shlex.join(["gancli", "train", variant, *options_])


def model(run: Path) -> str:
    """Return the shortest MODEL that names a run: its name under ./runs, or its folder."""
    return run.name if run.parent == RUNS and not os.path.lexists(run.name) else str(run)


def _of(defaults: RunOptions, field: "dataclasses.Field[Any]") -> Any:
    return getattr(defaults, field.name)


def _said(known: type, name: str, value: Any) -> Any:
    return "auto" if value == AUTO and words(known, name).get("auto") else value


def option(name: str, value: Any) -> list[str]:
    """Return the words of an option on the command line."""
    said = option_of(name)
    if isinstance(value, bool):
        return [said if value else f"--no-{said.removeprefix('--')}"]
    values = value if isinstance(value, list) else [value]
    return [word for one in values for word in (said, str(one))]
