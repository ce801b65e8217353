"""--class of sample and interpolate, classify, and what labels change in training, through the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.cli.main import run
from tests.conftest import Cli, Once, noise_images

SMALL = ("--data", "digits", "--steps", 2, "--batch", 8, "--width", 4, "--z-dim", 5)


@pytest.fixture(scope="session")
def models(once: Once) -> Path:
    """Train a run a variant, once for all tests."""

    def train(folder: Path) -> None:
        for name in ("dcgan", "cgan", "acgan", "sgan", "infogan"):
            assert run([str(a) for a in ("train", name, *SMALL, "--quiet", "--out", folder / name)]) == 0

    return once("models", train)


def picture(path: Path | str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def about(path: Path | str) -> dict:
    with Image.open(path) as image:
        return json.loads(str(image.info["gancli"]))


def test_all_classes_are_a_grid_with_a_row_a_class_and_the_same_seeds(cli: Cli, models: Path) -> None:
    assert cli("sample", models / "acgan", "--class", "all", "--seeds", "3,5", "--out", "all.npz").code == 0
    arrays = np.load("all.npz")
    assert arrays["labels"].tolist() == [k for k in range(10) for _ in range(2)]
    for k in (0, 7):
        assert cli("sample", models / "acgan", "--class", k, "--seeds", "3,5", "--out", "one.npz").code == 0
        one = np.load("one.npz")
        assert np.array_equal(one["images"], arrays["images"][2 * k : 2 * k + 2])
        assert one["labels"].tolist() == [k, k]
    assert len(np.unique(arrays["images"], axis=0)) == 20
    assert cli("sample", models / "acgan", "--class", "all", "--out", "all.png").code == 0
    height, width = picture("all.png").shape
    assert (width - 2) / (height - 2) == pytest.approx(8 / 10)


@pytest.mark.parametrize("name", ["all", "3"])
def test_like_draws_the_class_again(cli: Cli, models: Path, name: str) -> None:
    assert cli("sample", models / "cgan", "--class", name, "--seeds", "1-4", "--out", "a.png").code == 0
    assert about("a.png")["class"] == name
    assert cli("sample", "--like", "a.png", "--out", "b.png").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_folder_holds_a_file_a_class_and_seed_that_like_draws_again(cli: Cli, models: Path) -> None:
    assert cli("sample", models / "cgan", "--class", "all", "--seeds", "1,2", "--out", "many").code == 0
    assert len(list(Path("many").iterdir())) == 20
    file = Path("many/class004-seed00002.png")
    assert about(file)["class"] == "4"
    assert cli("sample", "--like", file, "--out", "again.npz").code == 0
    assert np.array_equal(np.load("again.npz")["images"][0, ..., 0], picture(file))


def test_labels_of_an_npz_are_those_that_were_drawn(cli: Cli, models: Path) -> None:
    assert cli("sample", models / "cgan", "-n", 16, "--out", "a.npz").code == 0
    arrays = np.load("a.npz")
    for i in (0, 9):
        cli("sample", models / "cgan", "--seeds", i, "--class", arrays["labels"][i], "--out", "b.npz")
        assert np.array_equal(np.load("b.npz")["images"][0], arrays["images"][i])
    assert cli("sample", models / "sgan", "-n", 2, "--out", "c.npz").code == 0
    assert np.load("c.npz")["labels"].tolist() == [-1, -1]


def test_unknown_classes_list_the_legal_ones(cli: Cli, models: Path) -> None:
    for command in ("sample", "interpolate"):
        result = cli(command, models / "cgan", "--class", "cat")
        assert result.code == 2
        assert "--class cat: unknown class; give one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 or all" in result.err
    assert cli("interpolate", models / "cgan", "--class", "1:cat").code == 2
    result = cli("sample", models / "dcgan", "--class", "1")
    assert result.code == 2
    assert "has no classes" in result.err


def test_a_walk_over_classes_keeps_the_noise(cli: Cli, models: Path) -> None:
    result = cli(
        "interpolate",
        models / "acgan",
        "--class",
        "3:8:1",
        "--seeds",
        "7,9",
        "--frames",
        5,
        "--strip",
        "--out",
        "walk.png",
    )
    assert result.code == 0, result.err
    strip = picture("walk.png")
    for column, name in ((0, 3), (2, 8), (4, 1)):
        cli("sample", models / "acgan", "--class", name, "--seeds", 7, "--cols", 1, "--out", "stop.png")
        stop = picture("stop.png")
        assert np.array_equal(strip[2:34, 2 + 34 * column : 34 + 34 * column], stop[2:34, 2:34])
    assert cli("interpolate", models / "acgan", "--class", "3:8", "--grid").code == 2
    assert cli("interpolate", models / "acgan", "--class", "3:8", "--axis", 1).code == 2


def test_a_walk_within_a_class_and_along_a_code(cli: Cli, models: Path) -> None:
    assert cli("interpolate", models / "infogan", "--class", "4", "--frames", 4, "--out", "w.gif").code == 0
    result = cli(
        "interpolate", models / "infogan", "--class", "4", "--axis", 15, "--frames", 4, "--strip", "--out", "w.png"
    )
    assert result.code == 0, result.err  # 5 of noise and 10 categories before it
    strip = picture("w.png")
    assert not np.array_equal(strip[2:34, 2:34], strip[2:34, 104:136])
    assert "axes 0 to 16" in cli("interpolate", models / "infogan", "--axis", 17).err


def test_grids_of_a_labelled_run_show_a_row_a_class(cli: Cli, models: Path) -> None:
    height, width = picture(models / "acgan/samples/000000016.png").shape
    assert (width - 2, height - 2) == (10 * 34, 10 * 34)
    rng = np.random.default_rng(0)
    np.savez("three.npz", images=rng.integers(0, 256, (20, 8, 8, 3), np.uint8), labels=np.arange(20) % 3)
    assert cli("train", "cgan", *SMALL, "--data", "three.npz", "--out", "three").code == 0
    height, width, _ = picture("three/samples/000000016.png").shape
    assert (width - 2, height - 2) == (10 * 34, 3 * 34)


def test_truncation_leaves_the_class(cli: Cli, models: Path) -> None:
    assert cli("sample", models / "cgan", "--class", 2, "--truncation", 0.5, "-n", 2, "--out", "a.npz").code == 0
    assert np.load("a.npz")["labels"].tolist() == [2, 2]


def test_classify_writes_a_csv(cli: Cli, models: Path, tmp_path: Path) -> None:
    noise_images(tmp_path / "photos" / "deep", 3, (20, 12))
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")
    single = noise_images(tmp_path / "single", 1) / "000.png"
    result = cli("classify", models / "sgan", single, "photos", "--out", "names.csv")
    assert result.code == 0, result.err
    assert "skipped photos/broken.png" in result.err
    rows = list(csv.reader(Path("names.csv").read_text().splitlines()))
    assert rows[0] == ["file", "class", "probability"]
    assert [row[0] for row in rows[1:]] == [str(single), *(f"photos/deep/{i:03d}.png" for i in range(3))]
    assert all(row[1] in "0123456789" for row in rows[1:])
    assert all(0.1 <= float(row[2]) <= 1 for row in rows[1:])
    assert cli("classify", models / "sgan", single, "photos").out == Path("names.csv").read_text()
    assert len(json.loads(cli("classify", models / "sgan", single, "--json").out)["images"]) == 1


def test_classify_says_what_is_wrong(cli: Cli, models: Path, tmp_path: Path) -> None:
    image = noise_images(tmp_path / "photos", 1) / "000.png"
    assert "has no classifier head" in cli("classify", models / "cgan", image).err
    assert "no such file" in cli("classify", models / "acgan", "nowhere.png").err
    assert ".csv" in cli("classify", models / "acgan", image, "--out", "a.txt").err
    (tmp_path / "broken.png").write_bytes(b"")
    assert cli("classify", models / "acgan", "broken.png").code == 2


@pytest.mark.parametrize("name", ["sgan", "acgan"])
def test_training_measures_accuracy_on_rows_it_held_out(cli: Cli, models: Path, name: str) -> None:
    ticks = [json.loads(line) for line in (models / name / "metrics.jsonl").read_text().splitlines()]
    assert 0 <= ticks[-1]["accuracy"] <= 1
    result = cli("train", name, *SMALL, "--out", "quiet", "--metrics", "none")
    assert "179 labelled images held out" in result.out
    assert "accuracy" not in Path("quiet/metrics.jsonl").read_text().splitlines()[-1].replace("D/accuracy", "")


def test_data_without_labels_are_refused(cli: Cli, pictures: Path) -> None:
    for name in ("cgan", "acgan", "sgan"):
        result = cli("train", name, "--data", pictures, "--steps", 1)
        assert result.code == 2
        assert "has no labels" in result.err


def test_infogan_never_reads_labels(cli: Cli, tmp_path: Path) -> None:
    """The same images without any labels train to the same bytes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8), np.uint8)
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    np.savez(tmp_path / "with" / "a.npz", images=images, labels=np.arange(40) % 4)
    np.savez(tmp_path / "without" / "a.npz", images=images)
    for kind in ("with", "without"):
        data = tmp_path / kind / "a.npz"
        assert cli("train", "infogan", *SMALL, "--data", data, "--out", f"run-{kind}").code == 0
        assert cli("sample", f"run-{kind}", "-n", 4, "--out", f"{kind}.npz").code == 0
    assert np.array_equal(np.load("with.npz")["images"], np.load("without.npz")["images"])
