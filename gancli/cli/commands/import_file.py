"""`gancli import FILE`: convert published weights."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.system.untrusted.terminal import say


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of weights: .pth, .pt, .pkl, .ckpt, .tar, …")],
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name for the new run under ./runs; default: the file's name."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Size of the model's images, WIDTHxHEIGHT or N, where the file does not hold it (SPADE)."),
    ] = None,
    doublings: Annotated[
        int | None,
        typer.Option(help="How often the size doubles, where the file does not hold it (SPADE: 5 or 6).", min=1, max=9),
    ] = None,
) -> None:
    """Convert a published generator to a MODEL.

    Its architecture is inferred from its tensors; no code in the file runs.
    """
    from gancli.checkpoints.importers.convert import import_file
    from gancli.images.sizes import parse_size

    say(import_file(file, as_, parse_size(size) if size else None, doublings))
