"""The loggers by name. Their packages are extras, imported only when asked for."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gancli.errors import UserError
from gancli.training.loggers.logger import Logger

NAMES = ("tensorboard", "wandb")  # also of their packages and extras


def check(names: Sequence[str]) -> None:
    """Raise UserError, before anything else is done, for a logger that cannot be used."""
    for name in names:
        if name not in NAMES:
            raise UserError(f"--log {name}: unknown logger; give {' or '.join(NAMES)}")
        if find_spec(name) is None:
            raise UserError(f'--log {name} needs the package {name}: pip install "gancli[{name}]"')
        if name == "wandb":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would send its own errors, offline too
            from gancli.training.loggers import weights_and_biases

            weights_and_biases.check()


def made(names: Sequence[str], run: Path, about: Mapping[str, Any]) -> list[Logger]:
    """Return each logger once, for a run folder and the content of its run.json."""
    return [_made(name, run, about) for name in dict.fromkeys(names)]


def _made(name: str, run: Path, about: Mapping[str, Any]) -> Logger:
    if name == "wandb":
        from gancli.training.loggers.weights_and_biases import WeightsAndBiases

        return WeightsAndBiases(run, about)
    from gancli.training.loggers.tensorboard import TensorBoard

    return TensorBoard(run, about)
