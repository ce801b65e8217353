"""--truncation in sample and interpolate: images say how they were chosen, and what cannot be chosen is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.images.writing import read_about, save_png
from tests.conftest import Cli, Trained

QUICK = ("--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)


@pytest.fixture
def run(trained: Trained) -> Path:
    return trained("run", "dcgan", *QUICK)


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_metadata_and_info_say_the_way_and_like_repeats_it(cli: Cli, run: Path) -> None:
    way = "the share of samples that D rates highest"
    assert cli("sample", run, "--seeds", "1,2", "--truncation", 0.4, "--out", "a.png").code == 0
    assert (read_about(Path("a.png"))["truncation"], read_about(Path("a.png"))["truncated_by"]) == (0.4, way)
    assert cli("sample", "--like", "a.png", "--out", "b.png").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert json.loads(cli("info", run, "--json").out)["truncation"] == way
    assert way in cli("info", run).out
    assert cli("sample", run, "-n", 1, "--out", "c.png").code == 0
    assert read_about(Path("c.png"))["truncated_by"] is None


def test_an_image_that_was_truncated_in_another_way_is_not_repeated(cli: Cli, run: Path) -> None:
    """Of the version before, where |z| was bounded: the same words would give another image."""
    cli("sample", run, "--seeds", "1", "--truncation", 0.4, "--out", "a.png")
    said = read_about(Path("a.png"))
    del said["truncated_by"]
    save_png(Image.new("RGB", (8, 8)), Path("old.png"), said)
    result = cli("sample", "--like", "old.png", "--out", "b.png")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "truncated in another way" in result.err
    assert not Path("b.png").exists()


def test_a_share_of_all_gives_the_same_bytes_as_none(cli: Cli, run: Path) -> None:
    cli("sample", run, "-n", 5, "--out", "a.npz")
    cli("sample", run, "-n", 5, "--truncation", 1, "--out", "b.npz")
    assert np.array_equal(np.load("a.npz")["images"], np.load("b.npz")["images"])


def test_a_walk_goes_between_what_sample_chooses(cli: Cli, run: Path) -> None:
    seeds = ("--seeds", "3,8")
    assert cli("sample", run, *seeds, "--truncation", 0.2, "--cols", 2, "--out", "ends.png").code == 0
    walk = ("--frames", 2, "--strip", "--out", "walk.png")
    assert cli("interpolate", run, *seeds, "--truncation", 0.2, *walk).code == 0
    assert np.array_equal(pixels("walk.png"), pixels("ends.png"))
    said = read_about(Path("walk.png"))["walk"]
    assert (said["truncation"], said["truncated_by"]) == (0.2, "the share of samples that D rates highest")
    assert cli("interpolate", run, *seeds, *walk).code == 0
    assert not np.array_equal(pixels("walk.png"), pixels("ends.png"))


def test_walks_that_truncation_has_no_part_in_are_refused(cli: Cli, trained: Trained, pictures: Path) -> None:
    bigan = trained("bigan", "bigan", *QUICK)
    photos = ("--images", pictures / "000.png", pictures / "001.png")
    result = cli("interpolate", bigan, "--truncation", 0.5, *photos)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "--images and --truncation" in result.err
    cgan = trained("cgan", "cgan", "--data", "digits", *QUICK)
    result = cli("interpolate", cgan, "--truncation", 0.5, "--class", "1:2")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "give one class" in result.err
    walk = ("--class", "1", "--truncation", 0.5, "--seeds", "3,4", "--frames", 2, "--strip", "--out", "w.png")
    assert cli("interpolate", cgan, *walk).code == 0
    assert (
        cli("sample", cgan, "--class", "1", "--truncation", 0.5, "--seeds", "3,4", "--cols", 2, "--out", "s.png").code
        == 0
    )
    assert np.array_equal(pixels("w.png"), pixels("s.png"))


def test_every_class_at_once_is_each_by_itself(cli: Cli, trained: Trained) -> None:
    cgan = trained("cgan", "cgan", "--data", "digits", *QUICK)
    options = ("--truncation", 0.5, "--seeds", "3,4")
    assert cli("sample", cgan, "--class", "all", *options, "--out", "all.npz").code == 0
    assert cli("sample", cgan, "--class", "7", *options, "--out", "one.npz").code == 0
    every, one = np.load("all.npz"), np.load("one.npz")
    assert every["labels"].tolist() == [k for k in range(10) for _ in range(2)]
    assert np.array_equal(every["images"][14:16], one["images"])


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_a_model_without_a_judge_of_images_is_refused_in_one_line(cli: Cli, trained: Trained, command: str) -> None:
    vae = trained("vae", "vae", *QUICK)
    result = cli(command, vae, "--truncation", 0.7)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert "VAE has no discriminator to rate its images" in result.err
    assert result.err.endswith("no other way to truncate; leave --truncation out\n")
    assert "none: VAE has no discriminator" in cli("info", vae).out


def test_points_are_truncated_too(cli: Cli, trained: Trained) -> None:
    run = trained("points", "gan", "--data", "ring8", *QUICK)
    assert cli("sample", run, "-n", 30, "--truncation", 0.3, "--out", "a.npz").code == 0
    assert cli("sample", run, "-n", 30, "--out", "b.npz").code == 0
    assert not np.array_equal(np.load("a.npz")["points"], np.load("b.npz")["points"])
