"""What looks wrong in a run: warnings that training kept, and what its files show."""

import re
from collections import Counter
from collections.abc import Iterator

from gancli.reporting.runs import ReportedRun
from gancli.reporting.values import kimg
from gancli.system.untrusted.door import printable
from gancli.training.diagnostics import DominanceCheck
from gancli.training.output.kept import KeptWarning

MOST = 50  # warnings shown of a run


def of_run(run: ReportedRun) -> list[str]:
    """Return what looks wrong in a run, one sentence or two each."""
    found = [*_unfinished(run), *_kept(run), *_not_finite(run), *_damaged(run)]
    return [printable(text, 600) for text in dict.fromkeys(found)][:MOST]


def _unfinished(run: ReportedRun) -> Iterator[str]:
    if run.state == "finished":
        return
    of = "" if run.total is None else f" of {kimg(run.total)}"
    if run.state == "running":
        yield f"training is running: the report shows the first {kimg(run.images)}{of} kimg"
    else:
        yield f"training stopped after {kimg(run.images)}{of} kimg"
    if not run.log.ticks:
        yield "the log is empty: there are no curves yet"
    if not run.grids:
        yield "there are no sample grids"


def _kept(run: ReportedRun) -> Iterator[str]:
    """Return the warnings of training, the last of each kind; for runs of older versions, what the log shows."""
    if not run.warnings:
        yield from _dominance(run)
    kinds = Counter(_kind(warning) for warning in run.warnings)
    for kind, warning in {_kind(warning): warning for warning in run.warnings}.items():
        times = f"{kinds[kind]} times, last at" if kinds[kind] > 1 else "at"
        yield f"{warning.text} ({times} {kimg(warning.images)} kimg)"


def _kind(warning: KeptWarning) -> str:
    """Return what a warning is about, without its numbers."""
    return re.sub("[0-9]+", "", warning.text.partition(":")[0])


def _dominance(run: ReportedRun) -> Iterator[str]:
    """Repeat the check that training does, on the log."""
    said: list[str] = []
    check = DominanceCheck(said.append)
    for tick in run.log.ticks:
        if run.total and tick.get("D/adversarial") is not None:
            check.tick({"D/adversarial": tick["D/adversarial"]}, tick["images"] / run.total, tick["step"])
    yield from (text.removeprefix("warning").strip() for text in said)


def _not_finite(run: ReportedRun) -> Iterator[str]:
    bad = Counter(name for tick in run.log.ticks for name, value in tick.items() if value is None)
    for name, count in bad.items():
        yield f"{name.replace('_', ' ')} was not finite {count} time{'s' * (count > 1)}"


def _damaged(run: ReportedRun) -> Iterator[str]:
    yield from run.faults
    if run.log.broken:
        one, broken = len(run.log.broken) == 1, ", ".join(map(str, run.log.broken[:3]))
        lines = f"line {broken}" if one else f"lines {broken}{' …' * (len(run.log.broken) > 3)}"
        yield f"metrics.jsonl: {lines} cannot be read and {'is' if one else 'are'} left out"
