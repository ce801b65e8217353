"""What a report says of each run in words: its data, its training, the machine and the speed."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gancli import registry
from gancli.images.curves import SPEED
from gancli.reporting.runs import ReportedRun
from gancli.reporting.values import exact, kimg
from gancli.system.progress import duration
from gancli.system.untrusted.door import printable

MOST_CLASSES = 20  # names shown


@dataclass(frozen=True)
class Fact:
    """A fact about each run; "" where it is not known."""

    name: str
    values: list[str]

    @property
    def differs(self) -> bool:
        """Return whether the runs differ in it."""
        return len(set(self.values)) > 1


Tell = Callable[[ReportedRun], str]


def summary(runs: Sequence[ReportedRun]) -> list[Fact]:
    """Return what people ask first."""
    return _facts(runs, {"Variant": _variant, "Data": _data, "Trained": _trained, "Time": _time, "Speed": speed})


def data(runs: Sequence[ReportedRun]) -> list[Fact]:
    """Return what is known of the data."""
    return _facts(
        runs,
        {
            "Data": _data,
            "Images": _shape,
            "Classes": lambda run: _names(run.spec.classes) if run.spec else "",
            "Domains": lambda run: " and ".join(run.spec.domains) if run.spec else "",
            "Started in": lambda run: run.about.folder or "",
            "SHA-256": lambda run: run.about.digest or "",
        },
    )


def machine(runs: Sequence[ReportedRun]) -> list[Fact]:
    """Return what is known of the machine and the speed."""
    names = dict.fromkeys(name for run in runs for name in run.shown.machine)
    versions = dict.fromkeys(name for run in runs for name in run.shown.versions)
    return _facts(
        runs,
        {
            "Device": lambda run: run.shown.device or "",
            **{name.capitalize(): _of_machine(name) for name in names},
            "Precision": lambda run: run.about.precision or "",
            "Processes": lambda run: "" if run.shown.processes is None else str(run.shown.processes),
            "Time": _time,
            "Speed": speed,
            "Time per kimg": _time_per_kimg,
            **{f"Version of {name}": _version(name) for name in versions},
        },
    )


def citation(run: ReportedRun) -> str:
    """Return what a variant of this version is, from its source; "" for others, whose source is not read."""
    return registry.describe(run.about.variant).summary if run.about.variant in registry.names() else ""


def _facts(runs: Sequence[ReportedRun], tell: dict[str, Tell]) -> list[Fact]:
    found = (Fact(printable(name), [printable(say(run)) for run in runs]) for name, say in tell.items())
    return [fact for fact in found if any(fact.values)]


def _of_machine(name: str) -> Tell:
    return lambda run: exact(run.shown.machine[name]) if name in run.shown.machine else ""


def _version(name: str) -> Tell:
    return lambda run: exact(run.shown.versions[name]) if name in run.shown.versions else ""


def _variant(run: ReportedRun) -> str:
    start = f", started from {run.about.start.model}" if run.about.start else ""
    return f"{run.about.variant}{start}"


def _data(run: ReportedRun) -> str:
    return run.about.data or ""


def _shape(run: ReportedRun) -> str:
    spec = run.spec
    if spec is None:
        return ""
    if spec.points:
        return f"points with {spec.channels} coordinates"
    return f"{spec.width}x{spec.height}, {spec.channels} channel{'s' * (spec.channels > 1)}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_CLASSES} more" if len(names) > MOST_CLASSES else ""
    return f"{len(names)}: {', '.join(names[:MOST_CLASSES])}{more}" if names else ""


def _trained(run: ReportedRun) -> str:
    of = "" if run.total in (None, run.images) else f" of {kimg(run.total or 0)}"
    steps = max((tick["step"] for tick in run.log.ticks), default=0)
    state = "" if run.state == "finished" else f", {run.state}"
    return f"{kimg(run.images)}{of} kimg, {steps:,} steps{state}"


def _seconds(run: ReportedRun) -> float:
    return run.seconds_at(run.images)


def _time(run: ReportedRun) -> str:
    return duration(_seconds(run)) if run.log.ticks else ""


def speed(run: ReportedRun) -> str:
    """Return the usual speed of a run."""
    found = [tick[SPEED] for tick in run.log.ticks if tick.get(SPEED) is not None]
    if not found:
        return ""
    median = statistics.median(found)
    return f"{median:,.{0 if median > 99 else 1}f} images/s (median)"


def _time_per_kimg(run: ReportedRun) -> str:
    return f"{1000 * _seconds(run) / run.images:.3g} s" if run.images else ""
