"""`gancli import FILE`: convert published weights."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.system.untrusted.terminal import say, say_json


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .pth from pytorch-CycleGAN-and-pix2pix or CUT.")],
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name for the new run under ./runs; default: the file's name."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Convert a published generator to a MODEL.

    Its architecture is inferred from its tensors; no code in the file runs.
    """
    from gancli.checkpoints.importers.convert import import_file

    made = import_file(file, as_)
    if json:
        say_json({"checkpoint": str(made)})
    else:
        say(made)
