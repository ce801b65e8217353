"""`gancli report RUN…`: a page that shows what went on in training."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import check_needs
from gancli.system.untrusted.terminal import say, say_json


def command(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or names of runs under ./runs.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output: .html; default: report.html in the run folder, or in the current folder for several runs."
        ),
    ] = None,
    film: Annotated[
        Path | None,
        typer.Option(
            help="Write a film of the sample grids over training instead: .gif, .webp or .mp4; with --out, both."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Maximum number of frames in the film.", min=2, max=2000)] = 120,
    fps: Annotated[float, typer.Option(help="Frames per second of the film.", min=0.1, max=50)] = 8,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Report on training runs.

    Write one HTML page without network access: curves, samples over time, settings, metrics, warnings and commands.
    Several runs are compared side by side.
    """
    from gancli.reporting.film import make_film
    from gancli.reporting.page import check_place, report

    check_needs(context, {} if film else {"frames": "--film", "fps": "--film"})
    if out:
        check_place(out)  # before a film is written
    written = {}
    if film:
        written |= make_film(names, film, frames, fps)
    if out or not film:
        written |= report(names, out)
    if json:
        say_json(written)
    else:
        for path in (written[kind] for kind in ("film", "report") if kind in written):
            say(path)
