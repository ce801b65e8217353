"""The commands that reproduce, continue and use a run."""

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

from gancli import registry
from gancli.reporting.runs import ReportedRun
from gancli.reporting.settings import preset_of, usual_of
from gancli.system.untrusted.door import printable
from gancli.training.options import RunOptions
from gancli.training.output import next_steps

LONGEST = 10_000  # characters of a command
OF_ONE_CALL = ("out", "resume", "dry_run", "quiet", "json", "data")


@dataclass(frozen=True)
class Command:
    """A command and what it is for."""

    purpose: str
    text: str


def of_run(run: ReportedRun) -> list[Command]:
    """Return the commands for a run."""
    again = Command("Train it again", train(run))
    going_on = [] if run.state == "finished" else [Command("Continue training", train(run, resume=True))]
    found = [again, *going_on, *_use(run), Command("Make this report again", f"gancli report {_name(run)}")]
    return [Command(command.purpose, printable(command.text, LONGEST)) for command in found]


def train(run: ReportedRun, *, resume: bool = False) -> str:
    """Return the command that trains a run again, or continues it."""
    about, kept = run.about, run.shown.options
    known = {f.name for f in dataclasses.fields(RunOptions)} - {*OF_ONE_CALL}
    defaults = vars(RunOptions())
    options = {name: kept[name] for name in defaults if name in known & kept.keys() and kept[name] != defaults[name]}
    options |= {"seed": about.seed} if about.seed else {}
    if about.measured and not resume:  # as long as this run was, on any machine
        options = {**options, "minutes": None, "steps": -(-about.measured.images // about.hparams["batch"])}
    values = {"data": about.data, **_given(run), **options, **({"out": run.folder.path} if resume else {})}
    words = [word for name, value in values.items() if value is not None for word in next_steps.option(name, value)]
    # a path is relative to the folder that training was started in
    return shlex.join(["gancli", "train", about.variant, *words, *(["--resume"] if resume else [])])


def _given(run: ReportedRun) -> dict[str, Any]:
    """Return the hyperparameters that were given, as far as the run's files show.

    One that equals its default was given if it is among what the preset changes and is not said to come from there.
    """
    hparams, suited = run.about.hparams, run.about.suited
    own = {name: value for name, value in hparams.items() if name not in suited}
    if run.about.start:
        return {}
    usual = usual_of(run)
    preset = preset_of(run) if run.spec and run.about.variant in registry.names() else {}
    return {n: v for n, v in own.items() if v is not None and (n in preset or usual.get(n) != v)}


def _use(run: ReportedRun) -> list[Command]:
    """Return the commands for the model of a run, if there is one: what it can do is asked of a built-in variant."""
    if not run.folder.checkpoints():
        return []
    name, variant = _name(run), run.about.variant
    kind = registry.load(variant) if variant in registry.names() else None
    use = next_steps.use(kind, run.folder.path) if kind else f"gancli info {name}"
    data = (
        [Command("Evaluate it", f"gancli eval {name} --data {shlex.quote(run.about.data)}")] if run.about.data else []
    )
    return [Command("Use its model", use), *(data if kind else [])]


def _name(run: ReportedRun) -> str:
    return shlex.quote(next_steps.model(run.folder.path))
