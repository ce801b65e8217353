"""Arguments and options that several commands share."""

from typing import Annotated

import typer

MODEL = typer.Argument(metavar="MODEL", help="A checkpoint, a run folder, a run under ./runs, or a published name.")
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or mps.")]
