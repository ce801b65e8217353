"""Every command has --quiet, which leaves errors and JSON only, and --json."""

import inspect
import json
from pathlib import Path

import pytest

from gancli.benchmark import benchmark
from gancli.cli.main import app
from gancli.system.untrusted import terminal
from tests.conftest import Cli, Trained

COMMANDS = [*(str(command.name) for command in app.registered_commands), "train dcgan", "bench dcgan"]
FIRST = ("train", "sample", "interpolate", "translate", "eval")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_both(cli: Cli, command: str) -> None:
    shown = cli(*command.split(), "--help").out
    assert "--quiet " in shown
    assert "--json " in shown


@pytest.fixture
def run(trained: Trained) -> Path:
    return trained("run", "dcgan", "--steps", 3, "--batch", 4, "--width", 4, "--z-dim", 6)


def test_quiet_leaves_errors_and_json_only(cli: Cli, run: Path) -> None:
    for words in [("sample", run, "-n", 1), ("info", run), ("check", run), ("list",), ("trust",)]:
        assert cli(*words, "--quiet") == (0, "", "")
        assert isinstance(json.loads(cli(*words, "--quiet", "--json").out), dict | list)
    assert Path("samples.png").is_file()
    wrong = cli("sample", "nothing", "--quiet")
    assert wrong.code == 2
    assert wrong.err.startswith("gancli: no model 'nothing'")
    assert cli("info", run).out  # the next command of the same process speaks


def test_quiet_silences_warnings(capfd: pytest.CaptureFixture[str]) -> None:
    terminal.hush(True)
    terminal.warn("a warning")
    terminal.tell("progress")
    terminal.hush(False)
    terminal.warn("another")
    assert capfd.readouterr().err == "gancli: another\n"


def test_quiet_bench_prints_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "bench", lambda *_: {"variant": "gan"})
    assert cli("bench", "gan", "--quiet", "--json").out == '{"variant": "gan"}\n'


def test_import_tells_scripts_what_it_made(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.checkpoints.importers import convert

    monkeypatch.setattr(convert, "import_file", lambda *_: Path("runs/x/checkpoints/0.safetensors"))
    assert json.loads(cli("import", "x.pth", "--json").out) == {"checkpoint": "runs/x/checkpoints/0.safetensors"}


def test_help_shows_five_commands_then_the_others_in_one_screen(cli: Cli) -> None:
    rows = cli("--help").out.splitlines()
    commands, helpers = rows.index("Commands:"), rows.index("Other commands:")
    assert [row.split()[0] for row in rows[commands + 1 : helpers - 1]] == list(FIRST)
    others = {row.split()[0] for row in rows[helpers + 1 :]}
    assert others == ({str(c.name) for c in app.registered_commands} | {"bench"}) - set(FIRST)
    assert len(rows) <= 30
    assert max(map(len, rows)) <= 80
    assert not any(row.endswith("...") for row in rows[commands:])  # every phrase is whole


def test_the_option_is_added_without_a_word_of_the_command() -> None:
    from gancli.cli.arguments import quietable

    def command(model: str, *, best: bool = False) -> str:
        return f"{model} {best}"

    added = quietable(command)
    assert [*inspect.signature(added).parameters] == ["model", "best", "quiet"]
    assert added("x", best=True, quiet=True) == "x True"
    terminal.hush(False)
