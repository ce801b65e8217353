"""Arguments and options that several commands share."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer

from gancli.errors import UserError
from gancli.hparams import option_of
from gancli.system.untrusted import terminal

T = TypeVar("T")

MODEL = typer.Argument(metavar="MODEL", help="A checkpoint, a run folder, a run under ./runs, or a published name.")

Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or mps.")]

Scale = Annotated[
    int,
    typer.Option("--scale", help="Enlarge what is written by this whole factor, without smoothing.", min=1, max=16),
]

Captions = Annotated[
    bool, typer.Option("--captions", help="Write captions beside the images: seeds, class names, values.")
]

Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]


def quietable(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command the option --quiet."""

    @wraps(command)
    def run(*words: Any, quiet: bool = False, **options: Any) -> T:
        terminal.hush(quiet)
        return command(*words, **options)

    option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, annotation=Quiet, default=False)
    signature = inspect.signature(command)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return run


def is_given(context: typer.Context, name: str) -> bool:
    """Return whether a parameter, by its name, was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def check_needs(context: typer.Context, missing: Mapping[str, str]) -> None:
    """Raise UserError for a parameter that was given without the option that it needs, by the parameter's name."""
    for name, option in missing.items():
        if is_given(context, name):
            raise UserError(f"{option_of(name)} needs {option}: give that too, or leave {option_of(name)} out")


def help_without_command(context: typer.Context) -> None:
    """Print the help of a group that was named without a command, laid out as help, and exit with code 2."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
