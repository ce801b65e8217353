import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gancli.errors import UserError
from gancli.images.animation import save_frames
from gancli.images.pixels import GAP, SMALL, grid, to_pixels
from gancli.images.writing import TEXT, read_about, save_png


def test_every_byte_survives_the_round_trip() -> None:
    bytes_ = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert (to_pixels(bytes_.float() / 127.5 - 1)[0, :, :, 0] == bytes_[0, 0].numpy()).all()


@given(st.floats(-3, 3))
def test_values_outside_of_the_range_are_clipped(value: float) -> None:
    pixel = int(to_pixels(torch.full((1, 1, 1, 1), value)).item())
    assert pixel == pytest.approx(np.clip((value + 1) * 127.5, 0, 255), abs=0.51)


@given(st.integers(1, 30), st.integers(1, 8), st.sampled_from([1, 3, 4]), st.integers(20, 40))
def test_a_grid_holds_every_image_unchanged(count: int, columns: int, channels: int, side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side + 1, channels), np.uint8)
    sheet = np.asarray(grid(pixels, columns))
    sheet = sheet if sheet.ndim == 3 else sheet[..., None]
    zoom = max(1, SMALL // side)
    cell = side * zoom + GAP, (side + 1) * zoom + GAP
    for i, image in enumerate(pixels):
        row, column = divmod(i, min(columns, count))
        top, left = GAP + row * cell[0], GAP + column * cell[1]
        shown = sheet[top : top + side * zoom : zoom, left : left + (side + 1) * zoom : zoom]
        assert (shown == image).all()


def test_a_png_says_that_it_is_synthetic_and_more(tmp_path: Path) -> None:
    save_png(Image.new("L", (4, 4)), tmp_path / "x.png", {"seeds": [1], "name": "ü"})
    assert read_about(tmp_path / "x.png") == {"synthetic": True, "seeds": [1], "name": "ü"}


def test_other_pictures_say_nothing(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "x.png")
    (tmp_path / "y.png").write_bytes(b"no picture")
    for name in ("x.png", "y.png", "missing.png"):
        with pytest.raises(UserError, match=r"is not a PNG that gancli sample wrote|No such file"):
            read_about(tmp_path / name)


@pytest.mark.parametrize("name", ["walk.gif", "walk.webp", "walk.png", "walk.apng"])
def test_animations_keep_their_frames_and_their_origin(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (8, 8), (20 * i, 0, 0)) for i in range(5)]
    save_frames(frames, tmp_path / name, {"variant": "x"})
    with Image.open(tmp_path / name) as film:
        assert getattr(film, "n_frames", 1) == 5
        said = film.info.get("comment") or film.info.get(TEXT) or film.getexif()[0x010E]
    assert json.loads(said)["synthetic"] is True


def test_a_folder_takes_a_file_a_frame(tmp_path: Path) -> None:
    save_frames([Image.new("L", (4, 4))] * 3, tmp_path / "walk", {})
    assert sorted(p.name for p in (tmp_path / "walk").iterdir()) == [f"frame{i:05d}.png" for i in range(3)]


def test_unknown_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an animation is written as"):
        save_frames([Image.new("L", (4, 4))], tmp_path / "walk.xyz", {})


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    class Broken(Image.Image):
        def save(self, *args: object, **kwargs: object) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_png(Broken(), tmp_path / "x.png", {})
    assert list(tmp_path.iterdir()) == []
