"""Sheets: every image is there pixel by pixel, as large as asked for, and no caption touches one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gancli.errors import UserError
from gancli.images import sheets
from gancli.images.pixels import SMALL, grid, to_picture
from gancli.images.sheets import MOST_SCALE, Captions, View, frames, sheet, side_by_side, single

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["seed 7", "cat\nseed 12", "a class with a name that is far too long for any cell", "Été", "Жук", "猫", "\x1b[2J"]
)


def noise(count: int, height: int = 9, width: int = 12, channels: int = 3) -> Any:
    """Images without a white pixel."""
    return np.random.default_rng(count).integers(0, 200, (count, height, width, channels), np.uint8)


def blocks(array: Any, zoom: int) -> Any:
    return array.repeat(zoom, 0).repeat(zoom, 1)


def array_of(picture: Image.Image) -> Any:
    array = np.asarray(picture)
    return array if array.ndim == 3 else array[..., None]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_sheet_as_it_is_has_the_bytes_of_a_grid(channels: int) -> None:
    for count in (1, 5):
        pixels = noise(count, channels=channels)
        assert sheet(pixels, 3).tobytes() == grid(pixels, 3).tobytes()
        unread = Captions(cells=("x",) * count)
        assert sheet(pixels, 3, unread).tobytes() == grid(pixels, 3).tobytes()


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.sampled_from([1, 3, 4]))
def test_a_scaled_sheet_is_the_sheet_with_every_pixel_repeated(
    count: int, columns: int, scale: int, channels: int
) -> None:
    pixels = noise(count, channels=channels)
    plain, scaled = array_of(sheet(pixels, columns)), array_of(sheet(pixels, columns, view=View(scale)))
    assert (scaled == blocks(plain, scale)).all()


@settings(max_examples=40)
@given(st.data(), st.integers(1, 7), st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 3, 4]))
def test_captions_never_touch_an_image(data: Any, count: int, columns: int, scale: int, channels: int) -> None:
    """Each stands in the sheet, in order, repeated exactly; and all ink lies outside of them."""
    columns = min(columns, count)
    rows = -(-count // columns)
    some = [data.draw(st.just(()) | st.tuples(*[TEXTS] * size)) for size in (rows, columns, count)]
    pixels = noise(count, 16, 20, channels)
    made = array_of(sheet(pixels, columns, Captions(*some), View(scale, True)))
    zoom = SMALL // 16 * scale
    layout = sheets._Layout.of(count, columns, 16 * zoom, 20 * zoom, sheets.GAP * scale, Captions(*some))
    boxes = [layout.image(i) for i in range(count)]
    for (left, top, right, bottom), image in zip(boxes, pixels):
        assert (made[top:bottom, left:right] == blocks(image, zoom)).all()
    assert all(apart(one, other) for i, one in enumerate(boxes) for other in boxes[:i])
    assert made.shape[:2] == layout.size[::-1]


def apart(one: sheets.Box, other: sheets.Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, sheets.Box]]:
    """The texts that are written, and the boxes that they stand in."""
    found: list[tuple[str, sheets.Box]] = []
    write: Callable[..., None] = sheets._write

    def note(draw: Any, text: str, size: int, box: sheets.Box, align: str) -> None:
        found.append((text, box))
        write(draw, text, size, box, align)

    monkeypatch.setattr(sheets, "_write", note)
    return found


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_captions_have_room_beside_what_they_name(written: list[tuple[str, sheets.Box]], scale: int) -> None:
    """Whatever their length: the text fits into its box, no two boxes overlap, and none reaches an image."""
    captions = Captions(
        ("cat", "a long name of a class"), ("seed 0", "seed 123456789012"), ("a", "b\nc", "", "ddddddd")
    )
    made = sheet(noise(4), 2, captions, View(scale, True))
    assert [text for text, _ in written] == [*captions.columns, *captions.rows, *captions.cells]
    zoom = SMALL // 9 * scale
    layout = sheets._Layout.of(4, 2, 9 * zoom, 12 * zoom, sheets.GAP * scale, captions)
    images = [layout.image(i) for i in range(4)]
    for i, (text, box) in enumerate(written):
        if not text:
            continue
        wide, high = sheets._extent(text, layout.font)
        assert box[2] - box[0] >= wide
        assert box[3] - box[1] >= high
        assert 0 <= box[0] < box[2] <= made.width
        assert 0 <= box[1] < box[3] <= made.height
        assert all(apart(box, other) for other in [*images, *(b for t, b in written[:i] if t)])


def test_letters_are_inked_and_legible_at_scale_1() -> None:
    """Twelve pixels at least; and letters that Pillow's font lacks are not all the same box."""
    plain, captioned = sheet(noise(1)), sheet(noise(1), None, Captions(cells=("seed 7",)), View(1, True))
    ink = array_of(captioned)[plain.height - 2 :].min(2)
    assert ink.min() < 80
    assert sheets._font_size(4) == 12
    shapes = {tuple(map(int, sheets._font(letter, 12).getmask(letter))) for letter in "ÉЖα→"}  # pyright: ignore[reportArgumentType]
    assert len(shapes) == 4


def test_what_a_name_does_to_a_terminal_is_not_written(written: list[tuple[str, sheets.Box]]) -> None:
    sheet(noise(1), None, Captions(("\x1b[2J" + "x" * 100,)), View(1, True))
    ((text, _),) = written
    assert text.startswith("\\x1b[2J")
    assert len(text) == sheets.LONGEST


# ------------------------------------------------------------------------------------- single images and frames


def test_a_single_image_has_no_frame() -> None:
    picture = to_picture(noise(1)[0])
    assert single(picture, "seed 7", View()) is picture
    assert (array_of(single(picture, "seed 7", View(3))) == blocks(array_of(picture), 3)).all()
    captioned = array_of(single(picture, "s", View(3, True)))
    assert captioned.shape[0] > 27
    assert (captioned[:27, :36] == blocks(array_of(picture), 3)).all()


def test_frames_have_one_size_whatever_their_captions() -> None:
    pictures = [to_picture(image) for image in noise(3)]
    made = frames(pictures, ["", "a", "seed 0 to seed 123456"], View(2, True))
    assert len({frame.size for frame in made}) == 1
    left = (made[0].width - 24) // 2
    for picture, frame in zip(pictures, made):
        assert (array_of(frame)[:18, left : left + 24] == blocks(array_of(picture), 2)).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_comparisons_stand_side_by_side_below_their_names(mode: str) -> None:
    pictures = [to_picture(image).convert(mode) for image in noise(2, 40, 90)]
    plain = side_by_side(pictures, ("source", "translation"), View())
    assert (array_of(plain) == np.concatenate([array_of(p) for p in pictures], 1)).all()
    named = array_of(side_by_side(pictures, ("source", "translation"), View(2, True)))
    assert (named[-80:] == blocks(array_of(plain), 2)).all()
    assert named[:-80].min() < 80  # the names


# ----------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("scale", [-1, 0, MOST_SCALE + 1])
def test_scales_that_are_none_are_refused(scale: int) -> None:
    with pytest.raises(UserError, match=f"--scale {scale} is not allowed: give a whole number from 1 to 16"):
        View(scale)


@pytest.mark.parametrize("captions", [False, True])
def test_too_large_a_result_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch, captions: bool) -> None:
    monkeypatch.setattr(sheets, "MOST_PIXELS", 100_000)
    many = noise(100, 32, 32)
    view = View(4, captions)
    pictures: Sequence[Image.Image] = [to_picture(image) for image in many]
    for make in (
        lambda: sheet(many, 10, Captions(cells=("x",) * 100), view),
        lambda: frames(pictures, ["x"] * 100, view),
    ):
        with pytest.raises(UserError, match=r"--scale: .*\d+x\d+ pixels are too many, .* give a smaller one"):
            make()
