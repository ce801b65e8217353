"""Arguments and options that several commands share."""

from typing import Annotated

import typer

MODEL = typer.Argument(metavar="MODEL", help="A checkpoint, a run folder, a run under ./runs, or a published name.")

Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or mps.")]


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group that was named without a command, laid out as help, and exit with code 2."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
