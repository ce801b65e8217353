"""Write a report: one HTML file with its styles, its script and its images in it, which asks no network for anything.

Names and values come from files of others: all of them are escaped, and the page's policy runs no script but ours.
"""

import base64
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gancli
from gancli.errors import UserError
from gancli.images.curves import heading
from gancli.reporting import commands, curves, facts, findings, grids, scores, settings, values
from gancli.reporting.runs import ReportedRun, read_runs
from gancli.system import atomic
from gancli.system.untrusted.door import check_regular, printable
from gancli.system.untrusted.html import own, render

FILES = Path(__file__).parent / "page_files"
NAME = "report.html"
MADE_BY = "gancli report"  # how a report of ours is known
MOST_RUNS = 12  # of one report
MOST_ROWS = 200  # of a table of values
BOX = {name.lower(): getattr(curves, name) for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")}


def report(names: list[str], out: Path | None) -> dict[str, Any]:
    """Write the report of some runs and return what is in it. Raise UserError for what is not a run."""
    if len(names) > MOST_RUNS:
        raise UserError(f"report: {len(names)} runs: give at most {MOST_RUNS} at once")
    runs = read_runs(names)
    path = out or _place(runs)
    check_place(path)
    content = _content(runs)
    atomic.write_text(path, render(FILES / "report.html", content, kimg=values.kimg))
    return {
        "report": str(path),
        "bytes": path.stat().st_size,
        "runs": [str(run.folder.path) for run in runs],
        "curves": len(content["panels"]),
        "samples": [len(history.samples) for history in content["histories"]],
        "warnings": content["warnings"],
    }


def _place(runs: Sequence[ReportedRun]) -> Path:
    """Return where a report is written: into the run's folder, or into the current one for several runs."""
    return runs[0].folder.path / NAME if len(runs) == 1 else Path(NAME)


def check_place(path: Path) -> None:
    """Raise UserError if a report cannot be written to a path, or would replace a file that is not a report."""
    atomic.check_place(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {path}: a report is written as .html")
    if path.exists():
        check_regular(path)
        with path.open("rb") as file:
            if MADE_BY.encode() not in file.read(1000):
                raise UserError(f"{path} exists and is not a report of gancli: give another --out")


def _content(runs: list[ReportedRun]) -> dict[str, Any]:
    """Return everything that the template shows."""
    panels, histories = curves.panels(runs), grids.histories(runs)
    measured, unmeasured = scores.rows(runs)
    style, script = own(FILES / "report.css"), own(FILES / "report.js")
    warned = [findings.of_run(run) + history.faults for run, history in zip(runs, histories)]
    return {
        "runs": runs,
        "title": runs[0].name if len(runs) == 1 else f"{len(runs)} runs compared",
        "citations": [facts.citation(run) or printable(run.about.variant) for run in runs],
        "summary": facts.summary(runs),
        "warnings": warned,
        "histories": histories,
        "panels": panels,
        "left_out": curves.left_out(runs),
        "tables": [_table(run, curves.names([run])) for run in runs],
        "scores": measured,
        "scores_left_out": unmeasured,
        "settings": settings.rows(runs),
        "data": facts.data(runs),
        "machine": facts.machine(runs),
        "commands": [commands.of_run(run) for run in runs],
        "json": _for_script(runs, panels, histories),
        "box": BOX,
        "style": style,
        "script": script,
        "hashes": {"style": _hash(style), "script": _hash(script)},
        "made_by": MADE_BY,
        "version": gancli.__version__,
    }


def _hash(text: str) -> str:
    """Return what the page's policy knows its own script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@dataclasses.dataclass(frozen=True)
class ValueTable:
    """The values of one run in the log, to their last digit."""

    names: list[str]
    rows: list[list[str]]
    of: int


def _table(run: ReportedRun, names: Sequence[str]) -> ValueTable:
    kept = grids.spread(run.log.ticks, MOST_ROWS)
    rows = [[values.kimg(t["images"]), *(values.exact(t[n]) if n in t else "" for n in names)] for t in kept]
    return ValueTable([heading(name) for name in names], rows, len(run.log.ticks))


def _for_script(
    runs: Sequence[ReportedRun], panels: Sequence[curves.Panel], histories: Sequence[grids.SampleHistory]
) -> dict[str, Any]:
    """Return what the script reads off: points of curves, and the images of samples over time."""
    return {
        "runs": [run.name for run in runs],
        "box": BOX,
        "most": max((run.images for run in runs), default=0),
        "panels": [
            {
                "name": panel.name,
                "low": panel.low,
                "high": panel.high,
                "curves": [
                    {"run": curve.run, "x": [x for x, _ in curve.points], "y": [y for _, y in curve.points]}
                    for curve in panel.curves
                ],
            }
            for panel in panels
        ],
        "samples": [[{"images": image.images, "url": image.url} for image in history.samples] for history in histories],
    }
