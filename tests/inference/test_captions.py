"""--scale and --captions of the commands: what is written is as large as asked for, and is what the caption says."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gancli.cli.main import run as command
from gancli.images import sheets
from gancli.images.writing import read_about
from gancli.training.recorder import COLUMNS, captions_of, interleaved
from tests.conftest import Cli, Trained, noise_images

QUICK = ("--steps", 2, "--batch", 8, "--width", 4, "--z-dim", 6)


@pytest.fixture
def run(trained: Trained) -> Path:
    """A run on 8 x 8 pixels."""
    return trained("run", "dcgan", *QUICK)


@pytest.fixture
def digits(trained: Trained) -> Path:
    """A run with the classes 0 to 9, on 8 x 8 pixels."""
    return trained("digits", "acgan", *QUICK, "--data", "digits")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The captions that are written, in order."""
    found: list[str] = []
    monkeypatch.setattr(sheets, "_write", lambda _draw, text, *_: found.append(text))
    return found


def array(path: Path | str) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture)


# ------------------------------------------------------------------------------------------------ sample


def test_seeds_are_named(cli: Cli, run: Path, written: list[str]) -> None:
    assert cli("sample", run, "--seeds", "3,17,5", "--captions", "--out", "x.png").code == 0
    assert written == ["seed 3", "seed 17", "seed 5"]
    assert read_about(Path("x.png"))["seeds"] == [3, 17, 5]


def test_a_scaled_grid_is_the_grid_with_every_pixel_repeated_and_says_so(cli: Cli, run: Path) -> None:
    for more, out in (((), "x.png"), (("--scale", 3), "y.png"), (("--scale", 1), "z.png")):
        assert cli("sample", run, "-n", 5, *more, "--out", out).code == 0
    assert (array("y.png") == array("x.png").repeat(3, 0).repeat(3, 1)).all()
    assert Path("z.png").read_bytes() == Path("x.png").read_bytes()
    assert read_about(Path("y.png")) == read_about(Path("x.png")) | {"scale": 3}


def test_like_repeats_the_view_or_takes_another(cli: Cli, run: Path) -> None:
    cli("sample", run, "-n", 3, "--scale", 2, "--captions", "--out", "x.png")
    cli("sample", "--like", "x.png", "--out", "y.png")
    assert Path("y.png").read_bytes() == Path("x.png").read_bytes()
    cli("sample", "--like", "x.png", "--scale", 4, "--out", "z.png")
    cli("sample", run, "-n", 3, "--scale", 4, "--out", "wanted.png")
    assert Path("z.png").read_bytes() == Path("wanted.png").read_bytes()


def test_an_image_cannot_ask_for_a_huge_scale(cli: Cli, run: Path) -> None:
    from gancli.images.writing import save_png

    cli("sample", run, "-n", 3, "--out", "x.png")
    save_png(Image.new("L", (4, 4)), Path("y.png"), read_about(Path("x.png")) | {"scale": 10**6})
    told = cli("sample", "--like", "y.png", "--out", "z.png")
    assert (told.code, told.err.count("\n"), Path("z.png").exists()) == (2, 1, False)
    assert "has no valid metadata" in told.err


def test_classes_are_those_that_were_drawn(cli: Cli, digits: Path, written: list[str]) -> None:
    assert cli("sample", digits, "-n", 4, "--captions", "--out", "x.png").code == 0
    cli("sample", digits, "-n", 4, "--out", "x.npz")
    labels = np.load("x.npz")["labels"]
    assert written == [f"class {label}\nseed {seed}" for seed, label in enumerate(labels)]
    written.clear()
    cli("sample", digits, "--class", 7, "--seeds", "1,2", "--captions", "--out", "x.png")
    assert written == ["class 7\nseed 1", "class 7\nseed 2"]


def test_all_classes_are_named_by_rows_and_seeds_by_columns(cli: Cli, digits: Path, written: list[str]) -> None:
    cli("sample", digits, "--class", "all", "--seeds", "4,9", "--captions", "--out", "x.png")
    assert written == ["seed 4", "seed 9", *(f"class {i}" for i in range(10))]
    written.clear()
    cli("sample", digits, "--class", "all", "--seeds", "4,9", "--cols", 5, "--captions", "--out", "x.png")
    assert written[:3] == ["class 0\nseed 4", "class 0\nseed 9", "class 1\nseed 4"]


def test_a_folder_and_standard_output_take_both(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("sample", run, "--seeds", 7, "--scale", 4, "--captions", "--out", "each")
    cli("sample", run, "--seeds", 7, "--scale", 4, "--captions", "--out", "one.png")
    assert Path("each/seed00007.png").read_bytes() == Path("one.png").read_bytes()
    stdout = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", stdout)
    assert command(["sample", str(run), "--seeds", "7", "--scale", "4", "--captions", "--out", "-"]) == 0
    assert stdout.buffer.getvalue() == Path("one.png").read_bytes()  # type: ignore[attr-defined]


def test_directions_and_variations_are_named(cli: Cli, run: Path, pictures: Path, written: list[str]) -> None:
    made = cli("sample", run, "--directions", 2, "--cols", 3, "--reach", 2, "--captions", "--out", "x.png")
    assert made.code == 0, made.err
    assert written == ["-2.00", "0", "+2.00", "direction 0", "direction 1"]
    written.clear()
    near = ("sample", run, "--near", pictures / "000.png", "--near", pictures / "001.png", "--steps", 0)
    made = cli(*near, "--seeds", "0,5", "--captions", "--out", "y.png")
    assert made.code == 0, made.err
    assert written == ["seed 0", "seed 5", "000", "001"]


# --------------------------------------------------------------------------------------------- interpolate


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--axis", 2, "--reach", 1, "--frames", 3), ["-1.00", "0", "+1.00", "axis 2"]),
        (("--direction", 1, "--frames", 2), ["-3.00", "+3.00", "direction 1"]),
        (("--seeds", "8,2", "--frames", 3), ["seed 8", "", "seed 2"]),
        (("--seeds", "8,2", "--loop", "--frames", 3), ["seed 8", "seed 2", "seed 8"]),
    ],
)
def test_strips_name_values_or_stops(
    cli: Cli, run: Path, written: list[str], words: tuple[object, ...], said: list[str]
) -> None:
    assert cli("interpolate", run, "--strip", *words, "--captions", "--out", "x.png").code == 0
    assert written == said


def test_a_grid_names_its_corners(cli: Cli, run: Path, written: list[str]) -> None:
    words = ("--grid", "--seeds", "8,2,4,6", "--frames", 9)
    assert cli("interpolate", run, *words, "--captions", "--out", "x.png").code == 0
    assert [(i, text) for i, text in enumerate(written) if text] == [
        (0, "seed 8"), (2, "seed 2"), (6, "seed 4"), (8, "seed 6"),
    ]  # fmt: skip


def test_a_plane_names_the_codes_of_its_rows_and_columns(cli: Cli, trained: Trained, written: list[str]) -> None:
    run = trained("plane", "dcgan", *QUICK[:-1], 2)
    assert cli("interpolate", run, "--grid", "--frames", 9, "--captions", "--out", "x.png").code == 0
    columns, rows = ([float(text) for text in part] for part in (written[:3], written[3:]))
    assert len(rows) == 3
    assert columns == sorted(columns)  # to the right
    assert rows == sorted(rows, reverse=True)  # upwards
    assert (columns[0], rows[0]) == (pytest.approx(-0.97, abs=0.05), pytest.approx(0.97, abs=0.05))


@pytest.mark.parametrize("name", ["walk.gif", "walk.webp", "frames"])
def test_animations_say_between_which_stops_they_are(cli: Cli, run: Path, written: list[str], name: str) -> None:
    words = ("--seeds", "8,2", "--frames", 3, "--scale", 2, "--captions", "--out", name)
    assert cli("interpolate", run, *words).code == 0
    assert written == ["seed 8", "seed 8 to seed 2", "seed 2"]
    paths = sorted(Path(name).iterdir()) if name == "frames" else [Path(name)]
    with Image.open(paths[0]) as film:
        assert film.width > 16
        assert film.height > 16


def test_classes_are_stops_too(cli: Cli, digits: Path, written: list[str]) -> None:
    words = ("--class", "7:1", "--strip", "--frames", 3, "--captions", "--out", "x.png")
    assert cli("interpolate", digits, *words).code == 0
    assert written == ["class 7", "", "class 1"]


def test_frames_are_enlarged_without_smoothing(cli: Cli, run: Path) -> None:
    for more, out in (((), "a"), (("--scale", 5), "b")):
        assert cli("interpolate", run, "--frames", 2, "--seeds", "0,1", *more, "--out", out).code == 0
    for name in ("frame00000.png", "frame00001.png"):
        small, large = (array(Path(folder, name)) for folder in "ab")
        assert (large == small.repeat(5, 0).repeat(5, 1)).all()


# ------------------------------------------------------------------------------------------ translate and train


def test_a_comparison_names_source_and_translation(cli: Cli, trained: Trained, written: list[str]) -> None:
    size = ("--size", 16, "--batch", 2, "--width", 4, "--steps", 1)
    data = noise_images(Path("two/a"), size=(16, 16)).parent
    noise_images(data / "b", size=(16, 16))
    made = cli("train", "cyclegan", "--data", data, "--blocks", 1, *size, "--captions", "--quiet", "--out", "run")
    assert made.code == 0, made.err
    rows = ["source: a", "translation: b", "source: b", "translation: a"]
    assert written[: len(rows)] == rows  # of the run's grids
    written.clear()
    words = ("translate", "run", data / "a" / "000.png", "--compare")
    assert cli(*words, "--out", "x.png").code == 0
    assert written == []
    assert cli(*words, "--captions", "--scale", 3, "--out", "y.png").code == 0
    assert written == ["source", "translation"]
    found = array("y.png")
    with Image.open("x.png") as plain:
        assert found.shape[1] >= 6 * 16
        half = np.asarray(plain)[:, :16].repeat(3, 0).repeat(3, 1)
    assert any((found[-48:, i : i + 48] == half).all() for i in range(found.shape[1] - 48))
    for option in (("--scale", 2), ("--captions",)):
        told = cli("translate", "run", data / "a" / "000.png", *option, "--out", "z.png")
        assert (told.code, "needs --compare" in told.err, Path("z.png").exists()) == (2, True, False)


@pytest.mark.parametrize("count", [3, 8, 19])
def test_names_of_panels_stand_at_their_images(count: int) -> None:
    panels = [torch.full((count, 1, 1, 1), float(i)) for i in range(3)]
    names = ("source", "translation", "target")
    made, captions = interleaved(panels).flatten().tolist(), captions_of(panels, names)
    said = captions.cells or [name for name in captions.rows for _ in range(COLUMNS)]
    assert [names[int(value)] for value in made] == list(said)
    assert captions_of(panels, names[:2]) == captions_of(panels, ()) == sheets.NONE  # of a user's own variant


def test_grids_of_classes_are_named_in_training(cli: Cli, written: list[str]) -> None:
    done = cli("train", "acgan", *QUICK, "--data", "digits", "--captions", "--quiet", "--out", "x", "--metrics", "none")
    assert done.code == 0, done.err
    assert written[:10] == [f"class {i}" for i in range(10)]
    assert json.loads(Path("x/run.json").read_text())["options"]["captions"] is True


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scale", 0), "--scale"),
        (("--scale", 17), "--scale"),
        (("--scale", "1.5"), "--scale"),
        (("--scale", 2, "--out", "x.npz"), "leave --scale out"),
        (("--captions", "--out", "x.npz"), "leave --captions out"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(cli: Cli, run: Path, words: tuple[object, ...], said: str) -> None:
    told = cli("sample", run, "-n", 4, "--out", "x.png", *words)
    assert (told.code, said in told.err, told.err.count("\n")) == (2, True, 1), told.err
    assert not Path("x.png").exists()
    assert not Path("x.npz").exists()


def test_too_large_a_file_is_refused_in_a_line(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_PIXELS", 10_000)
    for words in (("sample", run, "-n", 9), ("interpolate", run, "--frames", 50)):
        told = cli(*words, "--scale", 16, "--out", "x.png")
        assert (told.code, told.err.count("\n"), Path("x.png").exists()) == (2, 1, False)
        assert "give a smaller one, or fewer images" in told.err
