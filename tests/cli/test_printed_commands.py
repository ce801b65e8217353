"""Every command line that README and docs print is understood: its command, options and programs exist."""

import dataclasses
import functools
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
from typer.core import TyperCommand
from typer.main import get_command

import gancli
from gancli import registry
from gancli.cli import main
from gancli.cli.variants import VariantCommand
from gancli.hparams import option_of
from gancli.training.options import BenchOptions, RunOptions
from tests.conftest import Cli

ROOT = Path(gancli.__file__).parent.parent
PAGES = {str(path.relative_to(ROOT)): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
SOURCES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"python (?:-m (tests[\w.]+)|(tests/[\w/]+\.py))(.*)")
RUN = re.compile(r"\b(([\w-]+)-(\d+))(?=[ /]|$)")
CHOSEN = {"VARIANT": "dcgan", "S": "1", "T": "0.7"}  # placeholders that stand for a variant or a number


def printed(page: str) -> tuple[list[str], list[str]]:
    """Return the lines of a page's console blocks, without prompts and comments, and the code in its sentences."""
    prose = FENCED.sub("", page)
    blocks = [text for language, text in FENCED.findall(page) if language == "console"]
    blocks += re.findall(r"^    (\S.*)$", prose, re.MULTILINE)
    lines = [line for block in blocks for part in block.splitlines() for line in part.split(" && ")]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [re.sub(r"^\$ |\s+#.*", "", line) for line in lines], spans


def arguments(line: str) -> list[str] | None:
    """Return the arguments of gancli in a command line, or None if it runs another program."""
    called = re.match(r"(?:.* -m )?gancli(?: (.*))?$", line)
    return called and [CHOSEN.get(word, word) for word in shlex.split(called[1] or "") if word != "…"]


def unknown(line: str) -> list[str]:
    """Return what is missing of a program of tests/: the file itself, or options that it does not define."""
    if not (called := PROGRAM.match(line)):
        return []
    module = (called[1] or "").replace(".", "/")
    source = next(
        (SOURCES[name] for name in (called[2], f"{module}.py", f"{module}/__main__.py") if name in SOURCES), None
    )
    if source is None:
        return [called[1] or called[2]]
    return [option for option in re.findall(r"--([\w-]+)", called[3]) if not re.search(rf'"(--)?{option}"', source)]


def options() -> set[str]:
    """Return the options of all commands and variants."""
    commands = get_command(main.app).commands.values()  # type: ignore[attr-defined]
    given = [RunOptions, BenchOptions, *(registry.hyperparameters(name) for name in registry.names())]
    fields = [field for cls in given for field in dataclasses.fields(cls)]
    names = {option_of(field.name) for field in fields}
    names |= {f"--no-{option_of(field.name)[2:]}" for field in fields if isinstance(field.default, bool)}
    return {"--help"} | names | {option for command in commands for param in command.params for option in param.opts}


@pytest.fixture
def only_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command read its line and do nothing."""
    monkeypatch.setattr(main, "get_command", functools.cache(get_command))
    for kind in (TyperCommand, VariantCommand):
        monkeypatch.setattr(kind, "invoke", lambda *_: 0)


@pytest.fixture
def example(cli: Cli) -> str:
    """Write the plug-in of docs/variants.md to mine.py."""
    del cli  # it has changed to an empty folder
    code = dict(FENCED.findall(PAGES["docs/variants.md"].read_text(encoding="utf-8"))[::-1])["python"]
    Path("mine.py").write_text(code, encoding="utf-8")
    return code


@pytest.mark.usefixtures("only_parse", "example")
@pytest.mark.parametrize("name", PAGES)
def test_every_printed_command_is_understood(name: str, cli: Cli) -> None:
    lines, spans = printed(PAGES[name].read_text(encoding="utf-8"))
    assert not [line for line in lines if arguments(line) and set(line) & set("…|<>")], "these cannot be typed"
    for line in dict.fromkeys([*lines, *spans]):
        if (words := arguments(line)) is not None:
            error = cli(*words).err
            assert not error or (line not in lines and "Missing argument" in error), f"{line}: {error}"


@pytest.mark.parametrize("name", PAGES)
def test_every_printed_program_exists(name: str) -> None:
    lines, spans = printed(PAGES[name].read_text(encoding="utf-8"))
    assert [missing for line in [*lines, *spans] for missing in unknown(line)] == []


def test_every_option_in_a_sentence_exists() -> None:
    """As an option of a command, of a program in tests/dev, or of the plug-in on its page."""
    known, programs = options(), "".join(text for name, text in SOURCES.items() if name.startswith("tests/dev"))
    for name, path in PAGES.items():
        page = path.read_text(encoding="utf-8")
        spans = [span for span in printed(page)[1] if span.startswith("--")]
        for option in {option for span in spans for option in re.findall(r"--[\w-]+", span)} - known:
            defined = rf'"(--)?{option[2:]}"|^    {option[2:]}: .* = hparam'
            assert re.search(defined, programs + page, re.MULTILINE), (name, option)


def test_the_plug_in_of_the_docs_trains(cli: Cli, pictures: Path, example: str) -> None:
    assert "--target" in cli("train", "./mine.py", "--help").out, example
    small = ("--data", pictures, "--steps", 1, "--batch", 4, "--width", 4, "--z-dim", 4, "--out", "run", "--quiet")
    assert cli("train", "./mine.py", "--target", 0.8, *small).code == 0


def stale(lines: list[str]) -> list[str]:
    """Return the runs that a page names by a number although a later run of the same variant and data was trained."""
    counts, found = Counter[str](), list[str]()
    for line in lines:
        words = arguments(line) or [""]
        found += [name for name, stem, number in RUN.findall(line) if counts[stem] not in (0, int(number))]
        if words[0] == "train" and not {"--out", "--resume", "--dry-run"} & {*words}:
            given = [Path(words[words.index(option) + 1]).name for option in ("--data", "--data-b") if option in words]
            counts["-".join([words[1], *given])] += 1
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_printed_run_is_the_newest_of_its_page(name: str) -> None:
    assert stale(printed(PAGES[name].read_text(encoding="utf-8"))[0]) == []


def test_a_run_that_another_one_replaced_is_found() -> None:
    page = ["gancli train dcgan --data ./a --from b", "gancli train dcgan --data ./a", "gancli sample runs/dcgan-a-1"]
    assert stale(page) == ["dcgan-a-1"]
    assert stale([*page[:2], "gancli sample dcgan-a-2"]) == stale([page[0], page[2]]) == stale(page[2:]) == []
    assert stale(["gancli train unit --data a --data-b b --out x", "gancli translate unit-a-b-1 x.png"]) == []


def rows(text: str) -> list[str]:
    """Return the headings of a table that `gancli data` or a training plan prints, warnings aside."""
    return [name for name in re.findall(r"^([a-z]+) +\S", text, re.MULTILINE) if name != "warning"]


def test_the_tutorial_shows_the_rows_that_are_printed(cli: Cli, pictures: Path) -> None:
    page = PAGES["docs/tutorial.md"].read_text(encoding="utf-8")
    checked, planned = [rows(text) for language, text in FENCED.findall(page) if language == "text"]
    assert rows(cli("data", pictures).out) == checked
    assert rows(cli("train", "dcgan", "--data", pictures, "--batch", 4, "--width", 4, "--dry-run").out) == planned


@pytest.mark.usefixtures("only_parse")
def test_outdated_commands_are_found(cli: Cli) -> None:
    """A command, an option, a value, an option of another command, a program, and a program's option."""
    page = (
        "```console\n$ gancli sampel x # it\ngancli a && gancli b\n```\n\nThen `gancli eval\nA --fid`.\n\n    gancli c"
    )
    assert printed(page) == (["gancli sampel x", "gancli a", "gancli b", "gancli c"], ["gancli eval A --fid"])
    for line in ("gancli sampel x", "gancli eval A --fid", "gancli train dcgan --kimg x", "gancli bench gan --fast"):
        assert cli(*(arguments(line) or [])).err, line
    assert arguments("torchrun --nproc-per-node 8 -m gancli train … --gpus 8") == ["train", "--gpus", "8"]
    assert arguments("python -m tests.dev.fuzz 20") is None
    assert unknown("python -m tests.dev.fizz 20") == ["tests.dev.fizz"]
    assert unknown("python tests/dev/bench/seams.py --width 8 --wide 3") == ["wide"]
