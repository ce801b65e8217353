"""`gancli eval`: score models and folders of images against real images."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gancli.cli.arguments import Device
from gancli.evaluation.extractors import extractor_table
from gancli.metrics import table
from gancli.system.untrusted.door import to_json
from gancli.system.untrusted.terminal import say, say_json, tell, warn

SECONDS = 15  # between lines of progress


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="MODEL|DIR|ZIP|NPZ", help="Models or images to score; several are compared in a table."),
    ],
    data: Annotated[
        str | None, typer.Option(help="Real images: a folder, archive, .npz, data set or built-in.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help=f"Metrics, from {table.listed()}. Default: fid,is; with --extractor local: fid."),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "-n",
            help="Images to score; default: 50,000 from a model, all of a folder or of a translator's inputs.",
            min=2,
        ),
    ] = None,
    reals: Annotated[int | None, typer.Option(help="Number of real images to use; default: all.", min=2)] = None,
    split: Annotated[
        str, typer.Option(help="Split of --data, for data sets that have splits: train or test.")
    ] = "train",
    size: Annotated[
        str | None,
        typer.Option(help="Crop and resize every image to this size first; default: the model's size, or unchanged."),
    ] = None,
    extractor: Annotated[
        str, typer.Option(help=f"Feature extractor. {extractor_table.listed()}.")
    ] = extractor_table.DEFAULT,
    weights: Annotated[
        Path | None,
        typer.Option(help="File of Inception weights; default: downloaded once, from GANCLI_MIRROR if set."),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Compute in bf16: faster; not comparable with fp32 scores.")
    ] = False,
    stats: Annotated[
        Path | None,
        typer.Option(
            help="Real statistics (mu, sigma) as .npz, .safetensors or StyleGAN .pkl: written with --data, else read."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated images.", min=0)] = 0,
    best: Annotated[bool, typer.Option("--best", help="Use each run's best checkpoint instead of its newest.")] = False,
    neighbours: Annotated[
        Path | None,
        typer.Option(help="Write a .png of generated images beside their nearest real images, to show copies."),
    ] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Also write the report to this file, as JSON.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics and their protocol as JSON.")] = False,
) -> None:
    """Score models or images against real images.

    Report the exact protocol with every score.
    """
    from gancli.evaluation import evaluate
    from gancli.evaluation.comparisons import Options
    from gancli.system import atomic, dist
    from gancli.system.devices import choose_device
    from gancli.system.processes.process import tuned

    extractor_table.check(extractor)
    names = table.parse(extractor_table.default_metrics(extractor) if metrics is None else metrics)
    extractor_table.check_scores(extractor, names)
    if out:
        atomic.check_place(out)
    options = Options(
        inputs=tuple(inputs), data=data, metrics=tuple(names), n=n, reals=reals, split=split,
        size=size, extractor=extractor, weights=weights, fast=fast, stats=stats, seed=seed, best=best,
        neighbours=neighbours,
    )  # fmt: skip
    with dist.joined(), tuned():
        first = dist.rank() == 0
        progress, note = (Progress(), warn) if first else (_silence, _silence)
        results = evaluate.evaluate(options, choose_device(device), progress, note)
    if not first:
        return
    report = _report(results)
    if out:
        atomic.write_text(out, to_json(report, indent=2) + "\n")
    if json:
        say_json(report)
    else:
        _print_table(results)


class Progress:
    """Print progress, speed and time left on stderr."""

    def __init__(self) -> None:
        self._name, self._began, self._told = "", 0.0, 0.0
        self._first = self._last = 0

    def __call__(self, name: str, done: int, of: int) -> None:
        """Print a progress line if one is due."""
        from gancli.training.display import duration

        now = time.monotonic()
        if name != self._name or done <= self._last:  # another set of images
            self._name, self._began, self._told, self._first = name, now, now, done
        self._last = done
        if now - self._told < SECONDS or done == self._first:
            return
        self._told = now
        speed = (done - self._first) / (now - self._began)
        left = duration((of - done) / max(speed, 1e-9))
        tell(f"{name}: {done:,} of {of:,} images, {speed:.1f} images/s, {left} left")


def _silence(*_: object) -> None:
    """Print nothing: rank 0 reports."""


def _report(results: list[Any]) -> dict[str, Any]:
    reports = [{"metrics": result.metrics, "protocol": result.protocol} for result in results]
    if len(reports) == 1:
        return reports[0]
    return {"models": [{"model": result.name, **report} for result, report in zip(results, reports)]}


def _print_table(results: list[Any]) -> None:
    columns = list(results[0].metrics)
    rows = [["", "images", *(name.replace("_", " ") for name in columns)]]
    for result in results:
        numbers = [table.shown(name, result.metrics.get(name, float("nan"))) for name in columns]
        rows.append([result.name, f"{result.protocol['generated']['images']:,}", *numbers])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        say(
            "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths)))
        )
    for line in _small_print(results[0].protocol, columns):
        say(line)


def _small_print(said: dict[str, Any], columns: list[str]) -> list[str]:
    real, network = said["real"], said["extractor"]
    data = (
        f"{real.get('images', '?')} images of {real.get('data', '?')}{' ' + real['split'] if real.get('split') else ''}"
    )
    if network == "shapes":
        return ["the built-in shapes: factors recovered by re-rendering"]
    if network == "none":
        return [f"against {data}"]
    lines = [f"{network} {said['weights']}, {said['precision']}, {said['resize']}; against {data}"]
    if any(name.startswith("frechet") for name in columns):
        lines.insert(0, f"frechet: {network} Frechet distance, not FID")
    return lines
