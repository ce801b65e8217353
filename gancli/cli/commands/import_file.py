"""`gancli import FILE`: other people's weights."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.system.untrusted.terminal import say


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .pth of pytorch-CycleGAN-and-pix2pix or CUT.")],
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="What to call it: a run under ./runs; default: the file's."),
    ] = None,
) -> None:
    """Make a MODEL of a published generator. Its network is told from its tensors; nothing in the file is run."""
    from gancli.checkpoints.importers.convert import import_file

    say(import_file(file, as_))
