"""The command line: load torch only when a command runs, and turn errors into exit codes."""

import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException
from typer.main import get_command

import gancli
from gancli.cli.arguments import help_without_command, quietable
from gancli.cli.commands import evaluate, interpolate, sample, train, translate
from gancli.cli.commands.other import (
    bench,
    check,
    classify,
    data,
    explore,
    export,
    import_file,
    models,
    report,
    trusted,
)
from gancli.errors import Diverged, UserError, missing
from gancli.plugins import contract
from gancli.system.loading import load_torch
from gancli.system.untrusted import terminal, trusted_code

P = ParamSpec("P")
T = TypeVar("T")


def _with_torch(command: Callable[P, T]) -> Callable[P, T]:
    """Wrap a command so that torch is loaded only when it runs: help does not need it."""

    @wraps(command)
    def loading(*words: P.args, **options: P.kwargs) -> T:
        load_torch()
        return command(*words, **options)

    return quietable(loading)


class _Commands(TyperGroup):
    """The commands, with the five that people begin with above all others."""

    first = ("train", "sample", "interpolate", "translate", "eval")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; raise UserError for an unknown one, as for other names."""
        if args and args[0] not in self.commands:
            raise missing("command", args[0], list(self.commands), "gancli --help lists them")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in two groups."""
        del ctx
        others = [name for name in self.commands if name not in self.first]
        for heading, names in {"Commands": self.first, "Other commands": others}.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(60)) for name in names])


# without Rich's markup, help takes half the time; commands colour their own output
app = typer.Typer(cls=_Commands, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(train.app, name="train")
app.command("sample")(_with_torch(sample.command))
app.command("interpolate")(_with_torch(interpolate.command))
app.command("classify")(_with_torch(classify.command))
app.command("translate")(_with_torch(translate.command))
app.command("eval")(_with_torch(evaluate.command))
app.add_typer(bench.app, name="bench")
app.command("import")(_with_torch(import_file.command))
app.command("explore")(_with_torch(explore.command))
app.command("export")(_with_torch(export.command))
app.command("list")(quietable(models.list_variants))
app.command("data")(_with_torch(data.command))
app.command("info")(_with_torch(models.info))
app.command("check")(_with_torch(check.command))
app.command("report")(_with_torch(report.command))
app.command("trust")(quietable(trusted.command))


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"gancli {gancli.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _gancli(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version),
) -> None:
    """Train and sample GANs."""
    del version  # its callback has printed it
    help_without_command(context)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: success. 2: wrong use or bad input (one line, no traceback). 3: training diverged. 129, 130, 143: interrupted.
    """
    trusted_code.forget()
    # about damaged metadata and the like; real failures raise. Set here because threads share the filter
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        # not context.command.main(): it turns a closed pipe into exit code 1
        with get_command(app).make_context("gancli", list(sys.argv[1:] if arguments is None else arguments)) as context:
            code = context.command.invoke(context) or 0
        sys.stdout.flush()  # notice a closed pipe here, not at exit
        return code
    except Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, Abort):
        return 130
    except BrokenPipeError:  # the reader is gone: print nothing more, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if (message := _words(error) or contract.blamed(error)) is None:
            raise
        return _fail(message, 3 if isinstance(error, Diverged) else 2)
    finally:
        terminal.hush(False)


def _words(error: Exception) -> str | None:
    """Return the error message in one line; None for a bug, which should show its traceback."""
    match error:
        case UserError():
            return str(error)
        case TyperException():
            return error.format_message().replace("Value error, ", "")  # pydantic's prefix
        case Diverged():
            return f"training diverged: {error}; try a lower --lr or another --seed"
        case OSError(strerror=str(reason)):  # a file that cannot be read or written
            return f"{error.filename}: {reason}" if error.filename else reason
        case MemoryError():
            return "not enough memory"
        case RuntimeError() if "out of memory" in str(error) or "can't allocate memory" in str(error):
            return "not enough memory: give a smaller --batch or --size or, in training, a larger --accumulate"
        case RuntimeError() if "home directory" in str(error):  # pathlib's error for an unknown ~
            return "a path begins with ~, but that home directory is unknown: give the full path"
    return None


def _fail(message: str, code: int) -> int:
    terminal.fail(" ".join(message.split()))
    return code


def main() -> NoReturn:
    """Run the program and exit."""
    for stream in (sys.stdout, sys.stderr):  # file names may contain characters that the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())
