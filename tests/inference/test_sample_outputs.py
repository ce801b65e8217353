"""Where `gancli sample` writes: a single image has no frame, and - is standard output."""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from gancli.cli.main import run as command
from gancli.images.writing import read_about
from tests.conftest import Cli, Trained

QUICK = ("--steps", 3, "--batch", 4, "--width", 4, "--z-dim", 6)


@pytest.fixture
def run(trained: Trained) -> Path:
    """A run on 8 x 8 pixels."""
    return trained("run", "dcgan", *QUICK)


def test_a_single_image_has_no_frame(cli: Cli, run: Path) -> None:
    for words in [("--seeds", 40), ("-n", 1)]:
        assert cli("sample", run, *words, "--out", "one.png").code == 0
        with Image.open("one.png") as one:
            assert one.size == (8, 8)
    cli("sample", run, "--seeds", "40", "--out", "each")
    cli("sample", run, "--seeds", "40", "--out", "one.png")
    assert Path("one.png").read_bytes() == Path("each/seed00040.png").read_bytes()
    cli("sample", "--like", "one.png", "--out", "again.png")
    assert Path("one.png").read_bytes() == Path("again.png").read_bytes()


def test_a_grid_that_is_asked_for_keeps_its_frame(cli: Cli, run: Path) -> None:
    cli("sample", run, "--seeds", 40, "--cols", 1, "--out", "grid.png")
    with Image.open("grid.png") as grid:
        assert grid.width > 8
    assert read_about(Path("grid.png"))["bare"] is False
    cli("sample", "--like", "grid.png", "--out", "again.png")  # as the versions before wrote it for one seed
    assert Path("grid.png").read_bytes() == Path("again.png").read_bytes()


def test_standard_output_gets_the_bytes_of_the_file(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("sample", run, "--seeds", "3,5", "--out", "x.png").code == 0
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))
    assert command(["sample", str(run), "--seeds", "3,5", "--out", "-"]) == 0
    assert stream.getvalue() == Path("x.png").read_bytes()
    assert not Path("-").exists()


def test_standard_output_is_for_one_thing(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = cli("sample", run, "--out", "-", "--json")
    assert (both.code, both.out) == (2, "")
    assert "--out - and --json both write to standard output" in both.err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    shown = cli("sample", run, "-n", 1, "--out", "-")
    assert (shown.code, shown.out) == (2, "")
    assert "is a terminal" in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sample", "--spread", 0.3), "--spread needs --near"),  # also with the value that it has by default
        (("sample", "--space", "z"), "--space needs --near"),
        (("sample", "--mix", "0", "1", "--steps", 3), "--steps needs --near"),
        (("sample", "--by", "pca"), "--by needs --directions"),
        (("sample", "--directions", 2, "-n", 3), "--directions and -n cannot be combined"),
        (("interpolate", "--by", "pca"), "--by needs --direction"),
        (("interpolate", "--seeds", "1,2", "--steps", 3), "--steps needs --images"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(cli: Cli, words: tuple[object, ...], said: str) -> None:
    done = cli(words[0], "missing", *words[1:])
    assert (done.code, said in done.err, len(done.err.splitlines())) == (2, True, 1), done.err
