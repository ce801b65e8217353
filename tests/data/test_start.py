"""Data are read once: later starts list their files, and open none."""

import io
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from rich.console import Console

from gancli.data.dataset import Dataset
from gancli.data.feed import Ahead, AheadFeed, Feed, feed_for
from gancli.data.kinds.images import Images
from gancli.data.request import Request
from gancli.data.sources import folders
from gancli.data.sources.decode import Item, ordered
from gancli.data.spec import DataSpec
from gancli.system import cache
from gancli.training.output.live import Fancy
from tests import children
from tests.conftest import Cli, noise_images
from tests.variants.small import make


def test_nothing_is_read_again(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Images.open(Request(str(pictures)))

    def refuse(*_: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(Image, "open", refuse)
    again = Images.open(Request(str(pictures)))
    assert torch.equal(first.columns["image"], again.columns["image"])
    assert again.notes == first.notes


def test_a_changed_file_is_read_again(pictures: Path) -> None:
    first = Images.open(Request(str(pictures))).columns["image"][0].clone()
    Image.new("RGB", (8, 8), "red").save(pictures / "000.png")
    changed = Images.open(Request(str(pictures))).columns["image"][0]
    assert not torch.equal(first, changed)
    assert torch.equal(changed[:, 0, 0], torch.tensor([255, 0, 0], dtype=torch.uint8))


def test_listing_follows_folders_and_leaves_out_links_to_nothing(tmp_path: Path) -> None:
    for folder in ("b", "a", "a/deep", ".hidden"):
        noise_images(tmp_path / folder, 2)
    (tmp_path / "a" / "note.txt").write_text("no picture")
    (tmp_path / "a" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    items, classes, *_ = folders.in_folder(tmp_path)
    names = [item.name for item in items]
    assert names == [
        "a/000.png",
        "a/001.png",
        "a/deep/000.png",
        "a/deep/001.png",
        "b/000.png",
        "b/001.png",
    ]
    assert classes == ["a", "b"]
    assert [item.label for item in items] == [0] * 4 + [1] * 2
    assert [item.name for item in items[4:]] == names[4:]


def test_few_decoded_pictures_wait_to_be_written() -> None:
    decoded: list[int] = []
    items = [Item(str(i), i, Image.Image) for i in range(40)]

    def read(item: Item) -> str:
        decoded.append(item.label)
        return item.name

    for written, label in enumerate(ordered(lambda item: decoded.append(item.label) or item.name, items, 2, 6)):
        assert label == str(written)
        assert len(decoded) - written <= 6
    assert len(decoded) == 40


def test_batches_that_are_fetched_ahead_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8)
    dataset = Dataset("noise", DataSpec(3, 8, 8), Images, {"image": rows})
    cpu = torch.device("cpu")
    plain, ahead = Feed(dataset, 8, 0, cpu), AheadFeed(dataset, 8, 0, cpu)
    for place in (0, 8, 16, 48, 8, 16):  # a resumed run begins anywhere
        assert torch.equal(ahead.at(place).image, plain.at(place).image)
    assert type(feed_for(dataset, 8, 0, cpu)) is Feed
    assert torch.equal(ahead.first(5).image, plain.first(5).image)


def test_the_next_is_fetched_while_this_one_is_used() -> None:
    asked: list[int] = []

    def fetch(place: int) -> int:
        asked.append(place)
        time.sleep(0.02)
        return place

    ahead = Ahead(fetch, 4)
    assert ahead.at(0) == 0
    time.sleep(0.05)  # a step
    began = time.monotonic()
    assert ahead.at(4) == 4
    assert time.monotonic() - began < 0.015
    assert asked[:2] == [0, 4]


def test_training_does_not_import_the_compiler(pictures: Path) -> None:
    """It takes as long as all of torch."""
    code = (
        "import sys; from gancli.cli.main import run;"
        f"run(['train', 'gan', '--data', {str(pictures)!r}, '--steps', '1', '--out', 'x', '--quiet']);"
        "print('torch._dynamo' in sys.modules)"
    )
    done = children.run([sys.executable, "-c", code], check=True, cwd=pictures.parent)
    assert done.stdout.strip() == "False"


def test_folders_are_read_once_by_the_command(cli: Cli, pictures: Path) -> None:
    command = ("train", "gan", "--data", pictures, "--steps", 1, "--quiet")
    assert cli(*command).code == 0
    entries = sorted((cache.root() / "images").iterdir())
    assert cli(*command).code == 0
    assert sorted((cache.root() / "images").iterdir()) == entries


def test_batches_and_networks_share_a_layout() -> None:
    columns = {"image": torch.zeros(16, 3, 8, 8, dtype=torch.uint8)}
    feed = feed_for(Dataset("zeros", DataSpec(3, 8, 8), Images, columns), 4, 0, torch.device("cpu"))
    gan: Any = make("cyclegan").to(memory_format=torch.channels_last)
    for image in (feed.at(0).image, gan.translate(feed.at(0).image, "AB")):
        assert image.is_contiguous(memory_format=torch.channels_last)


def test_decoding_shows_a_bar_on_a_terminal_and_takes_it_away() -> None:
    console = Console(force_terminal=True, width=80, file=io.StringIO())
    shown = Fancy(console)
    for done in (200, 400, 600):
        shown.decoded(done, 600)
    assert isinstance(console.file, io.StringIO)
    assert "decoding" in console.file.getvalue()
    assert console.file.getvalue().rstrip().endswith("\x1b[2K")  # the bar's line is cleared
    shown.decoded(200, 600)
    shown.close()  # as after an error
    shown.decoded(200, 600)
    shown.close()
