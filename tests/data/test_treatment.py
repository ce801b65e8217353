"""What a source says of its files: what was found, what is done to it, and what is not read."""

import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gancli.data.kinds.images import Images
from gancli.data.kinds.labelled import Labelled
from gancli.data.kinds.paired import Paired
from gancli.data.request import Request, Wanted
from gancli.data.sources.treatment import described, look_at
from gancli.images.reading import ORIENTATION, to_array
from tests.conftest import noise_images

SIDES = st.tuples(st.integers(4, 40), st.integers(4, 40))


def notes(source: Path, kind: type = Images, **wanted: object) -> tuple[str, ...]:
    return kind.open(Request(str(source), Wanted(**wanted))).notes  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------- what is done


@given(st.lists(SIDES, min_size=1, max_size=6), SIDES)
def test_cropping_is_said_of_the_images_that_lose_pixels(sides: list[tuple[int, int]], size: tuple[int, int]) -> None:
    """A red frame of a pixel is seen in what is kept of an image; it is not where that was cropped."""
    looks = Counter(look_at(Image.new("RGB", side)) for side in sides)
    said = " ".join(described(looks, size, 3))
    cropped = 0
    for width, height in sides:
        kept = to_array(Image.linear_gradient("L").resize((width, height)), size, 1).shape[1:]
        assert kept == size
        scale = min(width / size[1], height / size[0])
        cropped += max(width - scale * size[1], height - scale * size[0]) > 1 - 1e-9
    assert ("cropped at the centre" in said) == (cropped > 0)
    if 0 < cropped < len(sides):
        assert f"cropped at the centre ({cropped} images)" in said
    assert ("resized to" in said) == any((height, width) != size for width, height in sides)


def test_one_size_that_stays_needs_no_word(pictures: Path) -> None:
    assert notes(pictures) == ("12 images, 8x8",)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([(16, 16)] * 3, ("3 images, 16x16", "resized to 8x8")),
        ([(4, 4), (8, 8)], ("2 images, 4x4, 8x8", "resized to 8x8, 1 of them enlarged")),
        ([(20, 10), (8, 8)], ("2 images, 20x10, 8x8", "cropped at the centre (1 images) and resized to 8x8")),
        (
            [(20, 10), (30, 10), (10, 40), (9, 30), (12, 11)],
            ("5 images of 5 sizes, 12x11 to 10x40", "cropped at the centre and resized to 8x8"),
        ),
    ],
)
def test_sizes_are_said_and_what_becomes_of_them(
    tmp_path: Path, sizes: list[tuple[int, int]], said: tuple[str, ...]
) -> None:
    for i, size in enumerate(sizes):
        Image.new("RGB", size).save(tmp_path / f"{i}.png")
    assert notes(tmp_path, size=(8, 8)) == said


def test_a_size_that_was_not_asked_for_can_be_changed(tmp_path: Path) -> None:
    assert notes(noise_images(tmp_path, 3, (200, 100)))[1].endswith("resized to 64x64; --size W or WxH changes that")


def test_transparency_is_on_white_or_kept(tmp_path: Path) -> None:
    noise_images(tmp_path, 3)
    clear = Image.fromarray(np.zeros((8, 8, 4), np.uint8))
    clear.save(tmp_path / "a.png")
    clear.convert("LA").save(tmp_path / "b.png")
    Image.new("P", (8, 8)).save(tmp_path / "c.gif", transparency=0)
    assert "transparency of 3 laid on white; --channels 4 keeps it" in notes(tmp_path)
    assert "transparency of 3 kept" in notes(tmp_path, channels=4)


def test_colour_depth_and_orientation_are_said(tmp_path: Path) -> None:
    noise_images(tmp_path, 3)
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (8, 16)).save(tmp_path / "turned.jpg", exif=exif)
    said = notes(tmp_path, size=(8, 8))
    assert "6 images, 8x8, 16x8" in said  # its sides, upright
    assert "2 grey images among 4 in colour: all have 3 channels" in said
    assert "1 of more than 8 bits scaled to 8" in said
    assert "1 turned upright, as their EXIF orientation says" in said
    assert "colours of 4 turned to grey" in notes(tmp_path, channels=1)


def test_notes_are_the_same_when_the_images_are_in_the_cache(tmp_path: Path) -> None:
    noise_images(tmp_path, 3, (20, 10))
    (tmp_path / "a.txt").write_text("x")
    assert notes(tmp_path) == notes(tmp_path)
    (tmp_path / "b.txt").write_text("x")
    assert "2 that are not images (a.txt, b.txt)" in notes(tmp_path)[-1]


# ------------------------------------------------------------------------------------------- what is not read


@pytest.fixture
def cluttered(tmp_path: Path) -> Path:
    """A folder with images, files that are none, hidden ones, and what macOS leaves in archives."""
    folder = noise_images(tmp_path / "cluttered", 4)
    for name in ("a.xcf", "notes.txt", "e.mp4", "x.csv", ".DS_Store", "._000.png", "__MACOSX/._000.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no image")
    (folder / "lost.png").symlink_to(folder / "nowhere.png")
    return folder


def test_files_that_are_ignored_are_counted(cluttered: Path) -> None:
    said = "files ignored: 5 that are not images (a.xcf, e.mp4, lost.png …) and 3 hidden"
    assert notes(cluttered) == ("4 images, 8x8", said)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_says_it_too_and_what_macos_adds_is_no_image(cluttered: Path, kind: str) -> None:
    """Else half of its images could not be read, and __MACOSX would be a class."""
    (cluttered / "lost.png").unlink()
    path = cluttered.parent / f"x.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(p for p in cluttered.rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(cluttered.parent))
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(cluttered, ".")
    found, ignored = notes(path)
    assert found == "4 images, 8x8"
    said = "files ignored: 4 that are not images (a.xcf, e.mp4, notes.txt …) and 3 hidden"
    assert ignored.replace("cluttered/", "") == said


def test_pairs_say_it_too(tmp_path: Path) -> None:
    for name in ("A", "B"):
        noise_images(tmp_path / name, 3)
        (tmp_path / name / "list.txt").write_text("x")
    assert notes(tmp_path, Paired)[-1] == "files ignored: 2 that are not images (A/list.txt, B/list.txt)"


# ------------------------------------------------------------------------------------------------- classes


def test_sub_folders_are_classes_or_it_is_said_why_not(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        noise_images(tmp_path / name, 3)
    assert "2 classes: cat, dog" in notes(tmp_path, Labelled)
    assert Images.open(Request(str(tmp_path))).unused == ("cat", "dog")
    noise_images(tmp_path, 1)
    beside = "images stand beside the sub-folders, so these are not classes"
    assert beside in notes(tmp_path)
    assert Images.open(Request(str(tmp_path))).unused == ()


def test_images_without_sub_folders_have_no_labels_that_are_not_used(pictures: Path) -> None:
    assert Images.open(Request(str(pictures))).unused == ()
