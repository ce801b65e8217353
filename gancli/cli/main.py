"""The command line. Imports no torch: a command does, when it runs. The only place where errors become exit codes."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer
from typer.exceptions import Abort, Exit, TyperException
from typer.main import get_command

import gancli
from gancli.cli.commands import (
    bench,
    check,
    classify,
    evaluate,
    import_file,
    interpolate,
    models,
    sample,
    train,
    translate,
    trusted,
)
from gancli.errors import Diverged, UserError
from gancli.system.loading import load_torch
from gancli.system.untrusted import terminal, trusted_code

P = ParamSpec("P")
T = TypeVar("T")


def _with_torch(command: Callable[P, T]) -> Callable[P, T]:
    """Make a command that loads torch, as it must be loaded, when it runs: for help it is not needed."""

    @wraps(command)
    def loading(*words: P.args, **options: P.kwargs) -> T:
        load_torch()
        return command(*words, **options)

    return loading


# without Rich's markup, help costs half the time; commands colour what they print themselves
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(train.app, name="train")
app.command("sample")(_with_torch(sample.command))
app.command("interpolate")(_with_torch(interpolate.command))
app.command("classify")(_with_torch(classify.command))
app.command("translate")(_with_torch(translate.command))
app.command("eval")(_with_torch(evaluate.command))
app.add_typer(bench.app, name="bench")
app.command("import")(_with_torch(import_file.command))
app.command("list")(models.list_variants)
app.command("info")(_with_torch(models.info))
app.command("check")(_with_torch(check.command))
app.command("trust")(trusted.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"gancli {gancli.__version__}")
        raise typer.Exit


@app.callback()
def _gancli(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version),
) -> None:
    """Train and sample GANs."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 2 wrong use or bad input (one line, no traceback), 3 training diverged, 129, 130 and 143 interrupted.
    """
    trusted_code.forget()
    try:
        # not its main(): that turns a pipe which nobody reads any more into exit code 1
        with get_command(app).make_context("gancli", list(sys.argv[1:] if arguments is None else arguments)) as context:
            code = context.command.invoke(context) or 0
        sys.stdout.flush()  # a reader that has gone is noticed here, not at exit
        return code
    except Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, Abort):
        return 130
    except BrokenPipeError:  # the reader has gone: nothing more to say, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if (message := _words(error)) is None:
            raise
        return _fail(message, 3 if isinstance(error, Diverged) else 2)


def _words(error: Exception) -> str | None:
    """Say in a line what went wrong; None for what is a bug, and wants its traceback."""
    match error:
        case UserError():
            return str(error)
        case TyperException():
            return error.format_message()
        case Diverged():
            return f"training diverged: {error}; try a lower --lr or another --seed"
        case OSError(strerror=str(reason)):  # a file that the system does not let us read or write
            return f"{error.filename}: {reason}" if error.filename else reason
        case MemoryError():
            return "there is not enough memory for this"
        case RuntimeError() if "out of memory" in str(error) or "can't allocate memory" in str(error):
            return "there is not enough memory for this: give a smaller --batch or --size, or in training --accumulate"
        case RuntimeError() if "home directory" in str(error):  # what pathlib says of a ~ that it cannot follow
            return "a path begins with ~, and there is no such home directory"
    return None


def _fail(message: str, code: int) -> int:
    terminal.warn(" ".join(message.split()))
    return code


def main() -> NoReturn:
    """Be the program."""
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())
