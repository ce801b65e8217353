"""The settings of runs: which differ from the preset, and which differ between runs."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gancli import registry
from gancli.errors import UserError
from gancli.hparams import option_of, words
from gancli.reporting.runs import ReportedRun
from gancli.reporting.values import setting
from gancli.system.untrusted.door import printable
from gancli.training.options import RunOptions
from gancli.training.setup import preset_name

NOT_SHOWN = ("data", "seed", "out", "resume", "dry_run", "quiet", "json")  # shown elsewhere, or of one call only
_ABSENT = object()


@dataclass(frozen=True)
class Setting:
    """The value of one setting in one run, and what it would be otherwise."""

    value: str
    usual: str  # what the preset or the default would be; "" if that is not known, or depends on the data
    changed: bool


@dataclass(frozen=True)
class SettingRow:
    """One setting in all runs; None in a run that does not have it."""

    name: str
    help: str
    cells: list[Setting | None]

    @property
    def differs(self) -> bool:
        """Return whether the runs differ in it."""
        return len({cell and cell.value for cell in self.cells}) > 1

    @property
    def changed(self) -> bool:
        """Return whether it is not as usual in some run."""
        return any(cell and cell.changed for cell in self.cells)


def rows(runs: Sequence[ReportedRun]) -> list[SettingRow]:
    """Return the settings of all runs, hyperparameters first."""
    values = [{**run.about.hparams, "seed": run.about.seed, **_options(run)} for run in runs]
    usual = [{**usual_of(run), "seed": RunOptions().seed, **_defaults()} for run in runs]
    names = dict.fromkeys(name for found in values for name in found)
    return [
        SettingRow(printable(option_of(name)), _help(name, runs), [_cell(*both, name) for both in zip(values, usual)])
        for name in names
    ]


def usual_of(run: ReportedRun) -> dict[str, Any]:
    """Return the hyperparameters that the variant's preset gives for the run's data; empty if they are not known.

    The code of a user's variant, and of one that this version lacks, is not run.
    """
    about, spec = run.about, run.spec
    if about.variant not in registry.names() or about.start:
        return dict(about.suited)
    defaults = dataclasses.asdict(registry.hyperparameters(about.variant)())
    return {**defaults, **(preset_of(run) if spec else {}), **about.suited}


def preset_of(run: ReportedRun) -> Mapping[str, Any]:
    """Return what the preset changes of a built-in variant's defaults, without what it adds for few images."""
    about, spec = run.about, run.spec
    assert spec
    built_in = next(name for name in registry.names() if name == about.variant)  # no code that a run names is loaded
    kind = registry.load(built_in)
    asked, device = str(run.shown.options.get("preset", "auto")), (run.shown.device or "cpu").partition(":")[0]
    quick = preset_name(asked, device, spec.height, spec.width) == "quick"
    return kind.preset(spec) if quick else kind.paper(spec, about.hparams["batch"])


def _options(run: ReportedRun) -> dict[str, Any]:
    return {name: run.shown.options[name] for name in _defaults() if name in run.shown.options}


def _defaults() -> dict[str, Any]:
    return {name: value for name, value in vars(RunOptions()).items() if name not in NOT_SHOWN}


def _cell(values: Mapping[str, Any], usual: Mapping[str, Any], name: str) -> Setting | None:
    if name not in values:
        return None
    value, other = values[name], usual.get(name, _ABSENT)
    known = "" if other in (_ABSENT, None) else f"{'default' if name in _defaults() else 'preset'}: {setting(other)}"
    return Setting(setting(value), known, other is not _ABSENT and other != value)


def _help(name: str, runs: Sequence[ReportedRun]) -> str:
    """Return the help of a setting; "" if no class that this version knows has it."""
    variants = dict.fromkeys(run.about.variant for run in runs if run.about.variant in registry.names())
    for kind in (RunOptions, *(registry.hyperparameters(variant) for variant in variants)):
        try:
            return str(words(kind, name)["help"])
        except (TypeError, UserError):
            continue
    return ""
