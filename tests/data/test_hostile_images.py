"""Images that were made to do harm: frames that grow, sides without end, damaged metadata."""

from pathlib import Path

import pytest
from PIL import Image

from gancli.images import reading, roundtrip
from tests.conftest import Cli


@pytest.mark.filterwarnings("default")  # as for users: where they are errors, they are raised before
def test_damaged_metadata_is_not_told_beside_the_error(cli: Cli) -> None:
    Path("data").mkdir()
    Image.new("I;16", (8, 8)).save("data/x.tif")
    whole = Path("data/x.tif").read_bytes()
    for cut in range(len(whole) // 2, len(whole), 5):
        Path("data/x.tif").write_bytes(whole[:cut])
        done = cli("train", "gan", "--data", "data", "--size", 8, "--dry-run")
        assert (done.code, len(done.err.splitlines())) == (2, 1) or done.code == 0, done.err


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tiff", ".png"])
def test_frames_that_grow_count_as_they_are_then(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.new("RGB", (8, 8), (8 * i, 255 - 8 * i, 0)) for i in range(30)]
    path = tmp_path / f"x{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, lossless=True)
    monkeypatch.setattr(reading, "MOST_PIXELS", 30 * 16 * 16)
    assert len(roundtrip.load(path, "16").frames) == 30
    resized: list[object] = []
    monkeypatch.setattr(Image.Image, "resize", lambda *given, **_: resized.append(given) or frames[0])
    for size in ("17", "64", "17x16"):
        with pytest.raises(ValueError, match="pixels; at most"):
            roundtrip.load(path, size)
    assert len(resized) < 3 * 30


def test_thin_pictures_do_not_grow_without_end(tmp_path: Path) -> None:
    Image.new("L", (4, 60_000)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"15,728,640,000 pixels"):
        roundtrip.load(tmp_path / "x.png", "1024")
