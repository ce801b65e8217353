"""The command line. Imports no torch: a command does, when it runs. The only place where errors become exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException
from typer.main import get_command

import gancli
from gancli.cli import classify, evaluate, import_file, interpolate, models, sample, train, translate
from gancli.errors import Diverged, UserError

# without Rich's markup, help costs half the time; commands colour what they print themselves
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(train.app, name="train")
app.command("sample")(sample.command)
app.command("interpolate")(interpolate.command)
app.command("classify")(classify.command)
app.command("translate")(translate.command)
app.command("eval")(evaluate.command)
app.command("import")(import_file.command)
app.command("list")(models.list_variants)
app.command("info")(models.info)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gancli {gancli.__version__}")
        raise typer.Exit


@app.callback()
def _gancli(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version),
) -> None:
    """Train and sample GANs."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 2 wrong use or bad input (one line, no traceback), 3 training diverged, 130 and 143 interrupted.
    """
    try:
        return get_command(app).main(arguments, prog_name="gancli", standalone_mode=False) or 0
    except (UserError, TyperException) as error:
        return _fail(error.format_message() if isinstance(error, TyperException) else str(error), 2)
    except Diverged as error:
        return _fail(f"training diverged: {error}; try a lower --lr or another --seed", 3)
    except (KeyboardInterrupt, Abort):
        return 130
    except BrokenPipeError:  # the reader has gone: nothing more to say, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _fail(message: str, code: int) -> int:
    print(f"gancli: {' '.join(message.split())}", file=sys.stderr)
    return code


def main() -> NoReturn:
    """Be the program."""
    sys.exit(run())
