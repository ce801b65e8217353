"""Weights & Biases. Its history only grows, so a resumed run adds nothing to steps that were logged before."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import wandb
from msgspec import Meta, Struct
from PIL import Image

from gancli.errors import UserError
from gancli.system import atomic
from gancli.system.untrusted.door import read_json
from gancli.training.loggers.logger import SAMPLES, STEP, Past, numbers

OFFLINE = ("offline", "disabled", "dryrun")  # modes in which nothing is sent
PROJECT = "gancli"


class _Known(Struct, frozen=True):
    """What a resumed run needs to know of the log so far."""

    id: Annotated[str, Meta(pattern="^[0-9a-z]{8}$")]
    step: Annotated[int, Meta(ge=-1)]  # the last that was logged


class WeightsAndBiases:
    """Logs numbers and sample grids to one W&B run per run folder, whose local files are in RUN/wandb."""

    name = "wandb"

    def __init__(self, run: Path, about: Mapping[str, Any]) -> None:
        self.folder, self._run_folder, self._about = run / "wandb", run, about
        self._before = -1  # the last step that was logged before this process
        self._known = _Known(secrets.token_hex(4), -1)

    def begin(self, past: Past) -> str:
        """Begin a W&B run, or continue the one of this folder; one that had no such log gets its numbers so far."""
        file = self.folder / "gancli.json"
        if file.exists():
            self._known = read_json(file, _Known)
        self._before = self._known.step
        settings = wandb.Settings(silent=True, console="off", save_code=False)
        config = {name: self._about[name] for name in ("variant", "hparams", "data", "seed", "precision", "versions")}
        self._run = wandb.init(
            id=self._known.id, resume="allow", dir=self._run_folder, project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=self._run_folder.name, config=config, settings=settings,
        )  # fmt: skip
        for tick in past.ticks:
            self.log(tick)
        return f"wandb sync {Path(self._run.dir).parent}" if self._run.offline else f"wandb at {self._run.url}"

    def log(self, tick: Mapping[str, Any]) -> None:
        """Log the numbers of a step."""
        self._log(tick[STEP], numbers(tick))

    def grid(self, step: int, picture: Image.Image) -> None:
        """Log the sample grid of a step."""
        self._log(step, {SAMPLES: wandb.Image(picture)})

    def back(self, step: int) -> None:
        """Keep what was logged: W&B takes no step back, and ignores steps that are trained again."""

    def end(self) -> None:
        """Send or write what is still in memory."""
        self._run.finish()

    def _log(self, step: int, values: Mapping[str, Any]) -> None:
        if step <= self._before:
            return
        self._run.log(dict(values), step=step)
        if step > self._known.step:
            self._known = _Known(self._known.id, step)
            atomic.write_json(self.folder / "gancli.json", {"id": self._known.id, "step": step})


def check() -> None:
    """Raise UserError if W&B would ask for a key, which it would do in the middle of a run's start."""
    if os.environ.get("WANDB_MODE") not in OFFLINE and not wandb.login(prompt=False):
        raise UserError("--log wandb has no key: run `wandb login`, or set WANDB_MODE=offline")
