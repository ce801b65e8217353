"""docs/reference.md says what the command line has: every command, argument, option, default and range."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.main import get_command

from gancli.cli import main
from gancli.hparams import hparam
from gancli.training.options import RunOptions
from tests.cli.test_printed_commands import options
from tests.dev import reference


def test_the_reference_is_up_to_date() -> None:
    page = reference.PAGE.read_text(encoding="utf-8")
    assert reference.renewed(page) == page, "renew it by python -m tests.dev.reference"


def test_every_command_and_option_is_in_it() -> None:
    """Compared with what Typer made of the code, which the page was not made from."""
    page = reference.generated()
    assert [name for name in get_command(main.app).commands if f"\n### {name}\n" not in page] == []  # type: ignore[attr-defined]
    named = {option for option in options() if option.startswith("-")} - {"--help"}
    assert [option for option in sorted(named) if f"`{option}`" not in page] == []


def command(
    things: Annotated[list[Path], typer.Argument(metavar="A|B", help="What to read.")],
    n: Annotated[int | None, typer.Option("-n", help="How\nmany.", min=1)] = None,
    share: Annotated[float, typer.Option(help="A share | part.", min=0, max=1)] = 0.25,
    way: Annotated[Literal["a", "b"], typer.Option(help="Which.")] = "b",
    loud: Annotated[bool, typer.Option("--loud", help="Print all.")] = False,
    other: Annotated[list[str] | None, typer.Option(help="More.")] = None,
) -> None:
    """Do it."""
    del things, n, share, way, loud, other


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of every type."""

    from_: str | None = hparam(None, "where to start")
    fast: bool = hparam(True, "be fast")


def test_rows_tell_names_values_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command("do")(command)
    app.add_typer(main.app.registered_groups[0].typer_instance, name="train")  # type: ignore[arg-type]
    monkeypatch.setattr(main, "app", app)
    page = reference.commands()
    assert "### do\n\n```text\ngancli do A|B… [OPTIONS]\n```\n\nDo it.\n" in page
    for line in (
        r"| `A\|B…` |  |  | What to read. |",
        "| `-n` | whole number, 1 or more |  | How many. |",
        r"| `--share` | number, 0 to 1 | `0.25` | A share \| part. |",
        "| `--way` | `a`, `b` | `b` | Which. |",
        "| `--loud` |  |  | Print all. |",
        "| `--other` | text, repeatable |  | More. |",
    ):
        assert f"\n{line}\n" in f"{page}\n", line
    assert [tuple(row) for row in reference.rows(Settings)] == [
        ("`--from`", "text", "", "where to start"),
        ("`--fast`, `--no-fast`", "", "on", "be fast"),
    ]


def test_a_changed_option_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = reference.PAGE.read_text(encoding="utf-8")
    field = RunOptions.__dataclass_fields__["minutes"]
    monkeypatch.setattr(field, "metadata", {**field.metadata, "max": 5})
    assert reference.renewed(page) != page
