"""What `gancli data` says of images is what training does with them."""

import io
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gancli.data.inspection import near, totals
from gancli.data.inspection.copies import connected
from gancli.data.inspection.facts import Facts, Unreadable, examine
from gancli.data.inspection.splits import Place, places
from gancli.data.sources.decode import Item
from gancli.data.sources.folders import in_folder, others_in
from gancli.images.reading import UNREADABLE, open_bytes, to_array
from tests.conftest import noise_images
from tests.data import planted
from tests.data.sources import opened

GRAPHS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20)


def facts_of(folder: Path) -> list[Facts]:
    return [one for item in in_folder(folder)[0] if isinstance(one := examine(item), Facts)]


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


def fact(data: bytes, name: str = "x.png") -> Facts | Unreadable:
    return examine(Item(name, -1, lambda: open_bytes(data)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("sizes", [[(8, 8)], [(24, 16)], [(40, 30), (30, 40), (90, 50)]])
@pytest.mark.usefixtures("own_cache")
def test_size_and_channels_are_those_of_training(mode: str, sizes: list[tuple[int, int]], tmp_path: Path) -> None:
    for i, size in enumerate(sizes):
        grey = Image.new("L" if mode != "P" else "RGB", size, 9 * i)
        image = Image.fromarray(np.asarray(grey).astype(np.uint16)) if mode == "I;16" else grey.convert(mode)
        image.save(tmp_path / f"{i}.png")
    made = totals.made(facts_of(tmp_path))
    assert (made.channels, *made.size) == opened(tmp_path).images.shape[1:]


@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP"]), st.floats(0, 1), st.binary(max_size=3))
def test_what_cannot_be_read_is_what_training_cannot_read(form: str, part: float, more: bytes) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    whole = saved(Image.fromarray(pixels), form)
    place = int(part * len(whole))
    damaged = whole[:place] + more + (whole[place + len(more) :] if more else b"")
    try:
        with open_bytes(damaged) as image:
            to_array(image, (8, 8), 3)
        reads = True
    except UNREADABLE:
        reads = False
    found = fact(damaged)
    assert isinstance(found, Facts) == reads
    assert reads or (isinstance(found, Unreadable) and found.why)


def test_the_same_pixels_in_any_file() -> None:
    """Whatever colours transparency hides; but other pixels, or other transparency, are another image."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    one = fact(saved(image, "PNG"))
    assert isinstance(one, Facts)
    same = [saved(image, "BMP"), saved(image.convert("RGBA"), "PNG"), saved(image, "WEBP", lossless=True)]
    assert {found.pixels for data in same if isinstance(found := fact(data), Facts)} == {one.pixels}
    hidden = [Image.new("RGBA", (8, 8), (colour, 0, 0, 0)) for colour in (0, 255)]
    for cover in hidden:
        cover.paste(image, (0, 4))
    first, second = (fact(saved(cover, "PNG")) for cover in hidden)
    assert isinstance(first, Facts)
    assert isinstance(second, Facts)
    assert first.pixels == second.pixels != one.pixels
    assert first.transparent
    assert not one.transparent


@pytest.mark.parametrize(("name", "form", "suffix"), [
    ("a.png", "PNG", ".png"), ("a.PNG", "PNG", ".PNG"), ("a.jpeg", "JPEG", ".jpeg"), ("a.png", "JPEG", ".jpg"),
    ("a.jpg", "WEBP", ".webp"), ("a", "PNG", ".png"), ("a.b", "BMP", ".bmp"), ("a.tiff", "TIFF", ".tiff"),
])  # fmt: skip
def test_file_extensions(name: str, form: str, suffix: str) -> None:
    found = fact(saved(Image.new("RGB", (4, 4)), form), name)
    assert isinstance(found, Facts)
    assert found.suffix == suffix
    assert found.misnamed == (not name.endswith(suffix))


def test_turned_images_count_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = fact(saved(Image.new("RGB", (30, 10)), "JPEG", exif=exif), "x.jpg")
    assert isinstance(found, Facts)
    assert (found.size, found.turned, totals.shapes([found])) == ((30, 10), True, Counter({"longer than 2:1 tall": 1}))


def test_a_plain_jpeg_is_plain_and_one_other_pixel_is_not() -> None:
    image = Image.new("RGB", (16, 16), (3, 90, 201))
    assert getattr(fact(saved(image, "JPEG")), "plain", None) is True
    image.putpixel((3, 3), (9, 90, 201))
    assert getattr(fact(saved(image, "PNG")), "plain", None) is False


def test_files_that_are_no_images_by_name(tmp_path: Path) -> None:
    noise_images(tmp_path / "a", 2)
    (tmp_path / "a" / ".hidden").write_text("")
    (tmp_path / "list.csv").write_text("")
    (tmp_path / "a" / "photo").write_text("")
    assert others_in(tmp_path) == ["list.csv", "a/photo"]


@given(GRAPHS)
def test_connected_groups(edges: list[tuple[int, int]]) -> None:
    groups = connected(edges)
    assert sorted(i for group in groups for i in group) == sorted({i for edge in edges for i in edge})
    where = {i: n for n, group in enumerate(groups) for i in group}
    assert all(where[a] == where[b] for a, b in edges)
    for group in groups:  # no group falls apart
        reached, more = {group[0]}, True
        while more:
            new = {i for a, b in edges if {a, b} & reached for i in (a, b)} - reached
            reached, more = reached | new, bool(new)
        assert reached == set(group)


def test_places() -> None:
    def parts(*names: str) -> list[Place]:
        return places(names, [""] * len(names))

    assert parts("train/x", "test/y") == [Place("train", "", ""), Place("test", "", "")]
    assert parts("train/cat/x", "val/dog/y") == [Place("train", "", "cat"), Place("val", "", "dog")]
    assert parts("trainA/x", "trainB/x", "testA/y") == [
        Place("train", "A", ""), Place("train", "B", ""), Place("test", "A", "")
    ]  # fmt: skip
    assert parts("train/A/x", "test/B/x") == [Place("train", "A", ""), Place("test", "B", "")]
    assert parts("A/x", "B/y") == [Place("", "A", ""), Place("", "B", "")]
    for names in (("x", "test/y"), ("train/x", "cat/y"), ("A/x", "B/y", "C/z"), ("train/x", "train/y"), ("x", "y")):
        assert set(parts(*names)) == {Place("", "", "")}


# ------------------------------------------------------------------------------------------------ near-duplicates


@pytest.fixture
def drawings(tmp_path: Path) -> list[Image.Image]:
    pytest.importorskip("imagehash")
    return [planted.opaque(path) for path in sorted(planted.drawings(tmp_path / "drawings", 30, side=64).iterdir())]


def pairs(images: list[Image.Image]) -> set[tuple[int, int]]:
    return set(near.similar([small for image in images if (small := near.thumbnail_of(image))]))


def test_copies_are_near_and_drawings_that_share_all_but_a_detail_are_not(drawings: list[Image.Image]) -> None:
    assert pairs(drawings) == set()
    first = drawings[0]
    again = Image.open(io.BytesIO(saved(first, "JPEG", quality=75)))
    half, detail = first.resize((32, 32)), first.copy()
    detail.paste(Image.new("RGB", (5, 5), "black"), (40, 24))
    assert pairs([first, again, half]) == set(combinations(range(3), 2))
    assert pairs([first, detail]) == set()
    grey = first.convert("L").point([90 + level // 4 for level in range(256)])
    flat = [Image.new("L", grey.size, level) for level in (128, 150)]
    tinted = [Image.merge("YCbCr", (grey, blue, flat[0])).convert("RGB") for blue in flat]
    assert pairs(tinted) == set()  # equally bright, of another colour


def test_pairs_do_not_depend_on_how_many_are_compared_at_once(
    drawings: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [image.resize((96, 96), Image.Resampling.LANCZOS) for image in drawings[:9]]
    wanted = {(i, len(drawings) + i) for i in range(9)}
    assert pairs([*drawings, *copies]) == wanted
    monkeypatch.setattr(near, "ROWS", 4)
    monkeypatch.setattr(near, "PAIRS", 1)
    assert pairs([*drawings, *copies]) == wanted
