"""`gancli report RUN --film`: the grids in their order, with a time bar below them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.images import animation
from gancli.reporting import film
from tests.conftest import Cli
from tests.reporting.fake_runs import run_of

BLUE = (0, 0x72, 0xB2)


def frames(path: Path) -> list[tuple[np.ndarray, int]]:
    """Read a film's frames and how long each is shown, in milliseconds."""
    found = []
    with Image.open(path) as film:
        for i in range(getattr(film, "n_frames", 1)):
            film.seek(i)
            pixels = np.asarray(film.convert("RGB"), np.int16)
            found.append((pixels, film.info["duration"]))
    return found


def filled(frame: np.ndarray, height: int) -> float:
    """Return the share of the bar below the grid that is blue."""
    bar = frame[height + 12 + 3, 12:-12]
    return float((np.abs(bar - BLUE).max(1) < 40).mean())


@pytest.mark.parametrize("name", ["film.gif", "film.webp"])
def test_the_bar_moves_and_the_last_frame_stays(cli: Cli, tmp_path: Path, name: str) -> None:
    run = run_of(tmp_path / "run", grids=5)
    done = cli("report", run, "--film", name, "--fps", 10, "--json")
    assert (done.code, json.loads(done.out)) == (0, {"film": name, "frames": 5, "grids": 5})
    found = frames(tmp_path / name)
    assert [time for _, time in found] == [100] * 4 + [2100]
    assert [filled(frame, 510) for frame, _ in found] == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.03)
    with Image.open(run / "samples" / "000000000.png") as grid:
        original = np.asarray(grid.convert("RGB").resize((510, 510), Image.Resampling.NEAREST), np.int16)
    assert np.abs(found[0][0][:510] - original).mean() < 25  # nothing is drawn over the grid
    assert not (run / "report.html").exists()


def test_a_long_run_gives_as_many_frames_as_are_asked_for(cli: Cli, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", grids=60, side=8)
    done = cli("report", run, "--film", "film.webp", "--frames", 7, "--json", "--out", "page.html")
    assert json.loads(done.out)["frames"] == len(frames(tmp_path / "film.webp")) == 7
    assert (tmp_path / "page.html").exists()
    assert filled(frames(tmp_path / "film.webp")[-1][0], 480) == pytest.approx(1, abs=0.02)


def test_grids_of_other_shapes_make_one_film(cli: Cli, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", grids=3)
    Image.new("L", (20, 900)).save(run / "samples" / "000000000.png")
    (run / "samples" / "000002000.png").write_bytes(b"nothing")
    assert cli("report", run, "--film", "film.gif").code == 0
    assert len(frames(tmp_path / "film.gif")) == 2


def test_no_film_is_written_if_the_report_cannot_be(cli: Cli, tmp_path: Path) -> None:
    done = cli("report", run_of(tmp_path / "run"), "--film", "film.gif", "--out", "page.txt")
    assert (done.code, done.err.count("--out page.txt")) == (2, 1)
    assert not (tmp_path / "film.gif").exists()


def test_the_frames_of_a_film_fit_into_memory() -> None:
    grid = Image.new("RGB", (4000, 3000))
    width, height = film._size(grid, 120)
    assert (width, height) == (1440, 1080)
    width, height = film._size(grid, 2000)
    assert 2000 * width * height <= film.MOST_PIXELS
    assert width / height == pytest.approx(4 / 3, rel=0.01)


def test_a_video_needs_an_encoder_and_names_it(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "_installed_encoder", lambda: None)
    monkeypatch.setattr(animation, "_bundled_encoder", lambda: None)
    done = cli("report", run_of(tmp_path / "run"), "--film", "film.mp4")
    assert done.code == 2
    assert "gancli[film]" in done.err
    assert not (tmp_path / "film.mp4").exists()


def test_a_video_is_written(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="pip install gancli[film]")
    assert cli("report", run_of(tmp_path / "run"), "--film", "film.mp4").code == 0
    assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"
