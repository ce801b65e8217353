"""`gancli import FILE`: convert published weights."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.system.untrusted.terminal import say, say_json


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of weights: .pth, .pt, .pkl, .ckpt, .tar, …")],
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name for the new run under ./runs; default: the file's name."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Size of the model's images, WIDTHxHEIGHT or N, where the file does not hold it."),
    ] = None,
    doublings: Annotated[
        int | None,
        typer.Option(help="How often the size doubles, where the file does not hold it (SPADE: 5 or 6).", min=1, max=9),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Names of the classes, comma-separated, in the order of the labels; without it, a DCGAN has none."
        ),
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(
            help="Number of labels in a map, where the file does not hold it (pix2pixHD, SPADE); default: one less "
            "than the network's inputs, of which the last is the edges of instances.",
            min=1,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Convert a published generator to a MODEL.

    Its architecture is inferred from its tensors; no code in the file runs.
    """
    from gancli.checkpoints.importers.convert import import_file
    from gancli.checkpoints.importers.layout import Asked
    from gancli.images.sizes import parse_size

    named = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
    made = import_file(file, Asked(as_ or "", parse_size(size), doublings, named, labels))
    if json:
        say_json({"checkpoint": str(made)})
    else:
        say(made)
