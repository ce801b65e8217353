"""The metrics of runs: the last and the best value of each, and how they were measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gancli.metrics import table
from gancli.metrics.table import Metric
from gancli.reporting.runs import ReportedRun
from gancli.reporting.values import direction, exact, kimg
from gancli.training.monitor import FAKES, POINTS, READ, REALS

MOST_ROWS = 300
HOW = {  # what a metric needs -> how training measures it
    table.SHAPES: f"{READ:,} generated images, whose shapes are read; no network is needed",
    table.POINTS: f"{POINTS:,} generated points, compared with the known mixture; no network is needed",
    table.DOMAINS: "translations of generated shapes, whose true translation is known; no network is needed",
    table.HELD_OUT: "images held out of training",
}


@dataclass(frozen=True)
class Score:
    """The last and the best value of a metric in one run, as the log has them."""

    last: str
    last_at: str  # kimg
    best: str  # "" if no value is better than another
    best_at: str
    wins: bool  # its best is the best of all runs


@dataclass(frozen=True)
class ScoreRow:
    """A metric in all runs; None in a run without it."""

    name: str
    help: str
    better: str
    how: str
    cells: list[Score | None]


def rows(runs: Sequence[ReportedRun]) -> tuple[list[ScoreRow], int]:
    """Return a row for each metric in the logs, and how many have none because there are too many."""
    names = dict.fromkeys(name for run in runs for tick in run.log.ticks for name in tick)
    found = [(name, row) for name in names if (row := table.find(name))]
    shown = [
        ScoreRow(name.replace("_", " "), row.help, direction(row), _how(row, runs), _cells(name, row, runs))
        for name, row in found[:MOST_ROWS]
    ]
    return shown, len(found) - len(shown)


def _cells(name: str, row: Metric, runs: Sequence[ReportedRun]) -> list[Score | None]:
    ticks = [[tick for tick in run.log.ticks if name in tick] for run in runs]
    best = [_best(of_run, name, row) for of_run in ticks]
    top = min((_distance(tick[name], row) for tick in best if tick), default=None)
    return [_cell(of_run, tick, name, row, top, len(runs)) for of_run, tick in zip(ticks, best)]


def _cell(
    ticks: list[dict[str, Any]], best: dict[str, Any] | None, name: str, row: Metric, top: float | None, of: int
) -> Score | None:
    if not ticks:
        return None
    last = ticks[-1]
    if best is None:
        return Score(exact(last[name]), kimg(last["images"]), "", "", wins=False)
    wins = of > 1 and _distance(best[name], row) == top
    return Score(exact(last[name]), kimg(last["images"]), exact(best[name]), kimg(best["images"]), wins)


def _best(ticks: list[dict[str, Any]], name: str, row: Metric) -> dict[str, Any] | None:
    """Return the tick with the best finite value; None if the metric does not judge, or was never finite."""
    finite = [tick for tick in ticks if tick[name] is not None]
    return min(finite, key=lambda tick: _distance(tick[name], row)) if finite and row.judges else None


def _distance(value: float, row: Metric) -> float:
    """Return a number that is lower for a better value."""
    if isinstance(row.better, str):
        return value if row.better == "down" else -value
    return abs(value - row.better)


def _how(row: Metric, runs: Sequence[ReportedRun]) -> str:
    if known := next((HOW[need] for need in row.needs if need in HOW), ""):
        return known
    asked = {str(run.shown.options.get("metrics") or "auto") for run in runs}
    extractor = f"--metrics {' or '.join(sorted(asked))}"
    return f"{FAKES:,} generated against at most {REALS:,} real images, with the features of {extractor}"
