"""Text from files reaches no terminal raw, no spreadsheet as a formula, and no script as NaN."""

import ast
import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

import gancli
from gancli.inference import classify
from gancli.inference.classify import Prediction, to_csv
from gancli.system.untrusted import terminal
from gancli.training.output.display import Plain
from gancli.training.output.live import Fancy
from tests.cli.strangers import said
from tests.conftest import Cli, noise_images

TITLE = "\x1b]0;owned\x07\x9b31m"  # sets a window's title; C1's way to begin a colour
TURNED = "\u202egnp.exe"
FORMULA = "=cmd|' C calc'!A0"
CLASSES = (f"cat{TITLE}", f"dog{TURNED}", FORMULA)
SMALL = ("--steps", 1, "--batch", 6, "--width", 4, "--quiet", "--metrics", "none")


def obeyed(text: str) -> str:
    """The characters that a terminal would obey, or that turn or hide text; what ends a line is ours."""
    return "".join(c for c in text.replace("\n", "") if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp"))


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that tells classes of evil names apart, and their images."""
    from gancli.cli.main import run

    folder = tmp_path_factory.mktemp("strange")
    for i, name in enumerate(CLASSES):
        noise_images(folder / f"data{TITLE}" / f"{i}{name}", 2)
    words = ("train", "acgan", "--data", folder / f"data{TITLE}", "--out", folder / f"run{TITLE}", *SMALL)
    assert run([str(word) for word in words]) == 0
    return folder


def model(strange: Path) -> Path:
    return next((strange / f"run{TITLE}" / "checkpoints").glob("0*"))


COMMANDS: dict[str, tuple[object, ...]] = {
    "info": ("info", "MODEL"),
    "info for scripts": ("info", "MODEL", "--json"),
    "a class that is not there": ("sample", "MODEL", "--class", f"no{TITLE}"),
    "samples": ("sample", "MODEL", "-n", 1, "--out", f"x{TITLE}.png"),
    "a folder of samples": ("sample", "MODEL", "-n", 2, "--out", f"x{TITLE}"),
    "samples for scripts": ("sample", "MODEL", "-n", 1, "--out", f"x{TITLE}.png", "--json"),
    "a walk": ("interpolate", "MODEL", "--frames", 2, "--out", f"x{TITLE}.gif"),
    "classes": ("classify", "MODEL", "DATA"),
    "classes for scripts": ("classify", "MODEL", "DATA", "--json"),
    "an image that cannot be read": ("classify", "MODEL", f"broken{TITLE}.png", "good.png"),
    "a plan": ("train", "acgan", "--data", "DATA", "--dry-run", "--out", f"y{TITLE}", *SMALL[:-3]),
    "no data": ("train", "acgan", "--data", f"no{TITLE}"),
    "no model": ("info", f"no{TITLE}"),
    "no command": (f"no{TITLE}",),
    "no option": ("sample", "MODEL", f"--no{TITLE}"),
    "no variant": ("train", f"no{TITLE}"),
    "scores": ("eval", "DATA", "--data", "DATA", "--metrics", "is", "--weights", f"no{TITLE}.pth"),
    "a check": ("check", "RUN"),
    "a check for scripts": ("check", "RUN", "--json"),
    "a report": ("report", "RUN", "--out", f"x{TITLE}.html"),
    "a report for scripts": ("report", "RUN", "--json"),
    "a check of a spoilt run": ("check", f"spoilt{TITLE}"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_nothing_printed_is_obeyed_by_a_terminal(cli: Cli, strange: Path, what: str) -> None:
    data = strange / f"data{TITLE}"
    noise_images(Path(), 1)
    Path("000.png").rename("good.png")
    Path(f"broken{TITLE}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path(f"spoilt{TITLE}/checkpoints").mkdir(parents=True)
    Path(f"spoilt{TITLE}/checkpoints/1.safetensors").write_bytes(b"x")
    words = {"MODEL": model(strange), "DATA": data, "RUN": strange / f"run{TITLE}"}
    result = cli(*(words.get(str(word), word) for word in COMMANDS[what]))
    assert result.code in (0, 2), result.err
    assert result.out or result.err
    assert obeyed(result.out + result.err) == ""


def test_names_are_still_exact_for_scripts(cli: Cli, strange: Path) -> None:
    told = json.loads(cli("info", model(strange), "--json").out)
    assert [name[1:] for name in told["data"]["classes"]] == list(CLASSES)
    assert told["path"] == str(model(strange))


# --- spreadsheets


def test_classes_are_no_formulas(cli: Cli, strange: Path) -> None:
    found = [
        Prediction(FORMULA, "+1", 0.5),
        Prediction("a,\"b'", "@x", 0.5),
        Prediction("\t=1", "\r=1", 0.5),
        Prediction("猫", "＝1", 0.5),
    ]
    rows = list(csv.reader(io.StringIO(to_csv(found))))
    assert rows[1:] == [
        [f"'{FORMULA}", "'+1", "0.500000"],
        ["a,\"b'", "'@x", "0.500000"],
        ["'\\t=1", "'\\r=1", "0.500000"],
        ["猫", "'＝1", "0.500000"],
    ]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_every_cell_is_text_and_a_row_a_line(names: list[tuple[str, str]]) -> None:
    text = to_csv([Prediction(file, of_class, 0.25) for file, of_class in names])
    assert obeyed(text) == ""
    assert len(text.splitlines()) == len(names) + 1
    for row in list(csv.reader(io.StringIO(text)))[1:]:
        assert len(row) == 3
        assert not any(cell.startswith(classify.FORMULA) for cell in row)


# --- the display


@pytest.mark.parametrize("kind", [Plain, Fancy])
def test_what_a_display_shows_is_not_obeyed(kind: type[Plain]) -> None:
    stream = io.StringIO()
    display = kind(Console(file=stream, force_terminal=False, width=200))
    with display:
        display.note(f"data      {TITLE}{TURNED}")
        display.tick({"step": 1, "images": 1, "seconds": 1.0, f"fid {TITLE}{TURNED}": 1.0})
        display.note("the last")
        if isinstance(display, Fancy):
            display._console.print(display._render())
    assert "owned" in stream.getvalue()
    assert obeyed(stream.getvalue()) == ""


def test_only_the_terminals_module_prints() -> None:
    """So that every line passes there; a count of what is done is no text from a file."""
    for path in Path(gancli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                counts = any(keyword.arg == "end" for keyword in node.keywords)
                assert path.name == "terminal.py" or counts, f"{path}:{node.lineno}"


def test_only_the_door_writes_json_for_people() -> None:
    root = Path(gancli.__file__).parent
    folders = ("cli", "images", "training", "inference")
    for path in [path for name in folders for path in (root / name).rglob("*.py")]:
        assert "dumps(" not in path.read_text(), path


# --- numbers


def test_scripts_get_no_nan(cli: Cli, strange: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("x.safetensors").write_bytes(
        said(lambda a: a["metrics"].update(fid=float("nan")))(model(strange).read_bytes())
    )
    result = cli("info", "x.safetensors", "--json")
    assert "NaN" not in result.out
    terminal.say_json({"a": float("nan"), "b": [float("inf"), {"c": -float("inf")}]})
    assert json.loads(capfd.readouterr().out, parse_constant=refuse) == {"a": None, "b": [None, {"c": None}]}


def refuse(constant: str) -> Any:
    raise AssertionError(constant)


def test_a_report_that_is_kept_has_no_nan(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.evaluation import evaluate
    from gancli.evaluation.protocol import Result

    result = Result("x", {"fid": float("nan")}, {"extractor": "none", "real": {}, "generated": {"images": 2}})
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: [result])
    told = cli("eval", "x", "--data", "y", "--json", "--out", "report.json")
    assert told.code == 0, told.err
    for text in (told.out, Path("report.json").read_text()):
        assert json.loads(text, parse_constant=refuse)["metrics"] == {"fid": None}


def test_images_say_where_they_are_from_without_nan(tmp_path: Path) -> None:
    from gancli.images.writing import read_about, save_png

    save_png(Image.new("L", (4, 4)), tmp_path / "x.png", {"truncation": float("nan"), "class": f"a{TITLE}\udcff"})
    assert read_about(tmp_path / "x.png") == {"synthetic": True, "truncation": None, "class": f"a{TITLE}\udcff"}
