"""`gancli eval`: score models and folders of images against real images."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli.arguments import Device, Scale, check_needs, is_given
from gancli.errors import UserError
from gancli.evaluation.extractors import extractor_table
from gancli.hparams import option_of
from gancli.metrics import table
from gancli.system.untrusted.door import printable, to_json
from gancli.system.untrusted.terminal import aligned, say, say_json, warn

if TYPE_CHECKING:
    from gancli.evaluation.dissection.dissect import DissectRequest

NEEDS = {"layers": "--dissect", "masks": "--dissect"}
OF_NEIGHBOURS = {"scale": "--neighbours"}
OF_DISSECTION = ("inputs", "dissect", "layers", "masks", "data", "n", "seed", "best", "device", "out", "json")


def command(
    context: typer.Context,
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
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Skip files that cannot be read, even if they are more than 1 %.")
    ] = False,
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
    scale: Scale = 1,
    dissect: Annotated[
        Path | None,
        typer.Option(
            help="Write a .png of G's units that match concepts of --data (built-in shapes) or of --masks, and of what "
            "they do to images; score nothing. -n: default 1,000."
        ),
    ] = None,
    layers: Annotated[
        str, typer.Option(help="Feature maps for --dissect, comma-separated; auto: the last of each middle size.")
    ] = "auto",
    masks: Annotated[
        Path | None,
        typer.Option(
            help="For --dissect: a folder of label maps, seed00000.png and so on, as wide and high as the images; "
            "names.txt names the values from 0, one per line."
        ),
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
    from gancli.evaluation.dissection.dissect import DissectRequest
    from gancli.system import atomic, dist
    from gancli.system.devices import choose_device
    from gancli.system.processes.process import tuned
    from gancli.system.progress import progress

    if dissect:
        _check_dissection(context, inputs)
        request = DissectRequest(
            model=inputs[0], picture=dissect, layers=layers, data=data, masks=masks, n=n, seed=seed, best=best
        )
        _dissect(request, device, out, json)
        return
    check_needs(context, NEEDS | ({} if neighbours else OF_NEIGHBOURS))
    extractor_table.check(extractor)
    names = table.parse(extractor_table.default_metrics(extractor) if metrics is None else metrics)
    extractor_table.check_scores(extractor, names)
    if out:
        atomic.check_place(out)
    options = Options(
        inputs=tuple(inputs), data=data, metrics=tuple(names), n=n, reals=reals, split=split,
        size=size, extractor=extractor, weights=weights, fast=fast, stats=stats, seed=seed, best=best,
        neighbours=neighbours, scale=scale, skip_broken=skip_broken,
    )  # fmt: skip
    with dist.joined(), tuned(), progress() as shown:
        first = dist.rank() == 0
        tell, note = (shown, warn) if first else (_silence, _silence)
        results = evaluate.evaluate(options, choose_device(device), tell, note)
    if not first:
        return
    _publish(_report(results), out, json, _table(results))


def _silence(*_: object) -> None:
    """Print nothing: rank 0 reports."""


def _check_dissection(context: typer.Context, inputs: list[str]) -> None:
    """Raise UserError for several models, and for options that a dissection does not use."""
    if len(inputs) > 1:
        raise UserError("--dissect shows the units of one model: give one MODEL")
    for name in context.params:
        if name not in OF_DISSECTION and is_given(context, name):
            raise UserError(f"--dissect scores nothing, so {option_of(name)} has no effect: leave it out")


def _dissect(request: "DissectRequest", device: str, out: Path | None, json: bool) -> None:
    from gancli.evaluation.dissection.dissect import dissect
    from gancli.evaluation.dissection.lines import lines
    from gancli.system import atomic, dist
    from gancli.system.devices import choose_device
    from gancli.system.processes.process import tuned
    from gancli.system.progress import progress

    for path in filter(None, (out, request.picture)):
        atomic.check_place(path)
    with dist.joined(), tuned(), progress() as shown:
        first = dist.rank() == 0
        report = dissect(request, choose_device(device), shown) if first else None
    if report is not None:
        _publish(report, out, json, lines(report))


def _publish(report: dict[str, Any], out: Path | None, json: bool, lines: Iterable[str]) -> None:
    """Write the report to a file if asked, and print it as JSON or as lines."""
    from gancli.system import atomic

    if out:
        atomic.write_text(out, to_json(report, indent=2) + "\n")
    if json:
        say_json(report)
        return
    for line in lines:
        say(line)


def _report(results: list[Any]) -> dict[str, Any]:
    reports = [{"metrics": result.metrics, "protocol": result.protocol} for result in results]
    if len(reports) == 1:
        return reports[0]
    return {"models": [{"model": result.name, **report} for result, report in zip(results, reports)]}


def _table(results: list[Any]) -> Iterator[str]:
    columns = list(results[0].metrics)
    classes = results[0].protocol.get("classes", [])
    rows = [["", "images", *(_heading(name, classes) for name in columns)]]
    for result in results:
        numbers = [table.shown(name, result.metrics.get(name, float("nan"))) for name in columns]
        rows.append([result.name, f"{result.protocol['generated']['images']:,}", *numbers])
    yield from aligned(rows)
    yield from _small_print(results[0].protocol, columns)


def _heading(name: str, classes: list[str]) -> str:
    """Return the heading of a column; that of a class has the name of the class."""
    of_class = re.fullmatch(r"(.*_class)_(\d+)", name)
    if of_class and int(of_class[2]) < len(classes):
        name = f"{of_class[1]}_{printable(classes[int(of_class[2])])}"
    return name.replace("_", " ")


def _small_print(said: dict[str, Any], columns: list[str]) -> list[str]:
    real, network = said["real"], said["extractor"]
    data = (
        f"{real.get('images', '?')} images of {real.get('data', '?')}{' ' + real['split'] if real.get('split') else ''}"
    )
    if network == "shapes":
        return ["the built-in shapes: factors recovered by re-rendering"]
    if network == "points":
        return [f"the modes of {real.get('data', '?')}"]
    if network == "none":
        return [f"against {data}"]
    lines = [f"{network} {said['weights']}, {said['precision']}, {said['resize']}; against {data}"]
    if any(name.startswith("frechet") for name in columns):
        lines.insert(0, f"frechet: {network} Frechet distance, not FID")
    if "paths" in said:
        lines.insert(0, f"ppl: squared distances of {network} features, not LPIPS")
    return lines
