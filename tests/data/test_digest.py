"""What data are is a digest of what they hold: not their place, names of folders or times."""

import dataclasses
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.data.dataset import Batch
from gancli.data.kinds.images import Images
from gancli.data.kinds.labelled import Labelled, PartlyLabelled, hold_out, show_labels
from gancli.data.kinds.paired import Paired
from gancli.data.kinds.unpaired import Unpaired
from gancli.data.request import Request, Wanted
from tests.conftest import noise_images

KINDS: dict[type[Batch], tuple[str, ...]] = {
    Images: (".",),
    Labelled: ("cats", "dogs"),
    PartlyLabelled: ("cats", "dogs"),
    Paired: ("cats", "dogs"),
    Unpaired: ("cats", "dogs"),
}


def folder_of(kind: type[Batch], root: Path) -> Path:
    for i, below in enumerate(KINDS[kind]):
        noise_images(root / below, 4 + (i if kind is not Paired else 0))
    return root


def digest(kind: type[Batch], data: Path | str, **options: object) -> str:
    return kind.open(Request(str(data), **options)).digest  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_content_alone_counts(kind: type[Batch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(kind, tmp_path / "here")
    found = digest(kind, folder)
    assert digest(kind, folder) == found  # the second time it is read from the cache
    shutil.copytree(folder, tmp_path / "there" / "of another name")
    other = tmp_path / "there" / "of another name"
    for file in other.rglob("*.png"):
        os.utime(file, (1, 1))
    assert digest(kind, other) == found
    monkeypatch.chdir(other)
    assert digest(kind, ".") == found
    assert len(found) == 64


def edited(file: Path) -> None:
    about = file.stat()
    with Image.open(file) as image:
        pixels = np.array(image)
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(file)
    os.utime(file, ns=(about.st_mtime_ns + 1, about.st_mtime_ns + 1))


CHANGES: dict[str, Callable[[Path], None]] = {
    "added": lambda file: Image.new("RGB", (8, 8)).save(file.with_name("zzz.png")),
    "removed": Path.unlink,
    "edited": edited,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_change_is_seen(kind: type[Batch], change: str, tmp_path: Path) -> None:
    folder = folder_of(kind, tmp_path / "data")
    before = digest(kind, folder)
    for below in KINDS[kind]:  # of pairs, both sides
        CHANGES[change](folder / below / "001.png")
    assert digest(kind, folder) != before


def test_names_of_classes_and_what_belongs_together_count(tmp_path: Path) -> None:
    folder = folder_of(Paired, tmp_path / "data")
    labelled, paired = digest(Labelled, folder), digest(Paired, folder)
    assert digest(Paired, folder, direction="BA") != paired
    (folder / "dogs").rename(folder / "eels")
    assert digest(Labelled, folder) != labelled
    assert digest(Paired, folder) == paired
    swapped = folder / "cats" / "swap.png"
    (folder / "cats" / "000.png").rename(swapped)
    (folder / "cats" / "001.png").rename(folder / "cats" / "000.png")
    swapped.rename(folder / "cats" / "001.png")
    assert digest(Paired, folder) != paired


def test_the_same_from_an_archive_and_other_at_another_size(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data")
    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        archive.add(folder, "data")
    found = digest(Images, folder)
    assert digest(Images, tmp_path / "data.tar") == found
    assert digest(Images, folder, wanted=Wanted((16, 16))) != found
    assert digest(Labelled, folder_of(Labelled, tmp_path / "two")) != digest(Images, tmp_path / "two")


@pytest.mark.parametrize("name", ["shapes", "shapes-easy", "digits", "bars-and-stripes", "ring8"])
def test_what_comes_with_gancli_has_one_too(name: str) -> None:
    found = digest(Images, name)
    assert digest(Images, name) == found
    assert found != digest(Images, "shapes-mono")
    if name == "shapes":
        assert len({digest(k, name) for k in (Images, Labelled, Paired, Unpaired)} | {found}) == 4
        assert digest(Images, name, wanted=Wanted((16, 16))) != found


def test_options_of_a_run_and_made_pairs(tmp_path: Path) -> None:
    folder = folder_of(PartlyLabelled, tmp_path / "data")
    assert digest(Paired, folder, pairs="edges") != digest(Paired, folder, pairs="gray")
    data = PartlyLabelled.open(Request(str(folder)))
    assert show_labels(data, 1).digest == hold_out(data).digest == data.digest


def test_a_kind_that_says_nothing_is_read(tmp_path: Path) -> None:
    """Data sets of plug-ins that were written before know nothing of digests."""
    data = dataclasses.replace(Images.open(Request(str(noise_images(tmp_path / "data")))), content="")
    other = dataclasses.replace(data, columns={"image": data.columns["image"].flip(0)})
    assert data.digest == dataclasses.replace(data, name="another").digest != other.digest
