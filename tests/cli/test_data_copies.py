"""`gancli data --fix`: a clean copy, whatever the source holds; it is whole or not there, and nothing else changes."""

import errno
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.images.reading import ORIENTATION, upright
from tests.cli.test_data import content, found
from tests.conftest import Cli
from tests.data import planted


@pytest.fixture
def faces(cli: Cli) -> Path:
    """A few drawings without any fault."""
    del cli  # it has changed to an empty folder
    return planted.drawings(Path("faces"), 40, side=16)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_lead_elsewhere_or_come_twice(cli: Cli, faces: Path) -> None:
    files = sorted(faces.iterdir())
    names = ["../../evil.png", "/evil.png", "a/../../evil.png", "a/b.png", "a/b.png", "\x1b[31mred.png"]
    with zipfile.ZipFile("x.zip", "w") as archive:
        for name, path in zip(names, files):
            archive.writestr(name, path.read_bytes())
    Path("deep/er").mkdir(parents=True)
    before = content(Path())
    report = found(cli, "x.zip", "--fix", "deep/er/clean")
    new = content(Path()).keys() - before.keys()
    assert all(name.startswith("deep/er/clean/") for name in new)
    assert report["fix"]["written"] == len(new) >= 3
    assert {out["why"] for out in report["fix"]["left_out"]} == {"its name leads out of the folder"}
    assert "\x1b" not in cli("data", "x.zip").out


def test_names_that_no_folder_can_hold_are_left_out(cli: Cli, faces: Path) -> None:
    names = ["a.png", "a.png/b.png", f"{'c' * 300}.png", f"{'d' * 100}/{'é' * 130}.png", "e.png"]
    with zipfile.ZipFile("x.zip", "w") as archive:
        for name, path in zip(names, sorted(faces.iterdir())):
            archive.write(path, name)
    report = found(cli, "x.zip", "--fix", "clean")
    assert content(Path("clean")).keys() == {"a.png", "e.png"}
    assert {out["why"] for out in report["fix"]["left_out"]} == {"no folder can hold its name"}


@pytest.mark.parametrize("mode", ["1", "LA", "P", "CMYK", "YCbCr", "F", "I", "RGB", "RGBA"])
def test_the_first_frame_of_any_mode_becomes_a_png(cli: Cli, faces: Path, mode: str) -> None:
    form = "webp" if mode.startswith("RGB") else "tif"
    first = "L" if mode in ("I", "F") else "RGB"  # Pillow makes them of "L" only
    frames = [Image.open(faces / f"000{i}.png").convert("RGB").convert(first).convert(mode) for i in range(2)]
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    frames[0].save(faces / f"x.{form}", save_all=True, append_images=frames[1:], exif=exif)
    with Image.open(faces / f"x.{form}") as opened:
        assert opened.getexif()[ORIENTATION] == 6
        expected = np.asarray(upright(opened))
    report = found(cli, faces, "--fix", "clean")
    assert report["fix"]["converted"] == ["x.png"]
    with Image.open("clean/x.png") as picture:
        assert getattr(picture, "n_frames", 1) == 1
        assert (np.asarray(upright(picture)) == expected).all()


def test_links_are_copied_as_files_and_ways_around_are_not_followed(cli: Cli, faces: Path) -> None:
    outside = planted.drawings(Path("outside"), 1, side=16, seed=5) / "0000.png"
    (faces / "link.png").symlink_to(outside.resolve())
    (faces / "again").symlink_to(faces.resolve())
    (faces / "gone.png").symlink_to("nowhere")
    os.mkfifo(faces / "pipe.png")
    os.mkfifo(faces / "pipe")
    assert found(cli, faces, "--fix", "clean")["fix"]["written"] == 41
    assert stat.S_ISREG(Path("clean/link.png").lstat().st_mode)
    assert outside.is_file()


def place_file(target: Path) -> None:
    target.write_text("mine")


def place_full(target: Path) -> None:
    target.mkdir()
    (target / "mine").write_text("mine")


def place_link(target: Path) -> None:
    Path("elsewhere").mkdir()
    target.symlink_to("elsewhere")


@pytest.mark.parametrize("place", [place_file, place_full, place_link])
def test_a_copy_replaces_nothing(place: Callable[[Path], None], cli: Cli, faces: Path) -> None:
    place(Path("clean"))
    before = content(Path())
    for target in ("clean", faces, faces / "clean", faces / "a" / "clean"):
        done = cli("data", faces, "--fix", target)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert "give " in done.err
    assert content(Path()) == before
    assert not (faces / "a").exists()


def test_an_empty_folder_may_be_filled(cli: Cli, faces: Path) -> None:
    Path("clean").mkdir()
    assert cli("data", faces, "--fix", "clean").code == 0
    assert content(Path("clean")) == content(faces)


def test_a_copy_is_whole_or_not_there(cli: Cli, faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, copied = shutil.copyfileobj, []

    def full(source: Any, target: Any) -> None:
        copied.append(source)
        if len(copied) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfileobj", full)
    before = content(Path())
    done = cli("data", faces, "--fix", "clean")
    assert (done.code, len(copied)) == (2, 21)
    assert "No space left" in done.err
    assert content(Path()) == before
    assert sorted(path.name for path in Path().iterdir()) == ["faces"]
