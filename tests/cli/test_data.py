"""`gancli data`: finds what is wrong, and nothing else; writes nothing, or a clean copy and nothing else."""

import json
import shutil
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gancli import registry
from gancli.data.inspection import near
from gancli.training import advice
from tests.conftest import Cli, noise_images
from tests.data import planted
from tests.data.planted import Planted

KEPT = {"size", "shape"}  # a matter of taste: a clean copy still has them


@pytest.fixture
def hashes() -> None:
    """For tests of near-duplicates, which need an optional package."""
    pytest.importorskip("imagehash")


@pytest.fixture
def faces(cli: Cli) -> Path:
    """A few drawings without any fault."""
    del cli  # it has changed to an empty folder
    return planted.drawings(Path("faces"), 40, side=16)


def found(cli: Cli, *words: object) -> dict[str, Any]:
    done = cli("data", *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def faults(report: dict[str, Any]) -> set[Planted]:
    return {Planted(fault["kind"], frozenset(fault["files"])) for fault in report["faults"]}


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.usefixtures("hashes")
def test_all_planted_faults_are_found_and_nothing_else_and_a_clean_copy_has_none(cli: Cli) -> None:
    faces = planted.drawings(Path("faces"), 60, side=64)
    assert faults(found(cli, faces)) == set()
    wanted = {one for kind in planted.plant(list(faces.iterdir()), 2).values() for one in kind}
    before = content(faces)
    report = found(cli, faces, "--fix", "clean")
    assert faults(report) == wanted
    assert content(faces) == before
    assert {one.kind for one in faults(found(cli, "clean"))} == KEPT
    after, changed = content(Path("clean")), {*report["fix"]["renamed"].values(), *report["fix"]["converted"]}
    assert all(after[name] == before[name] for name in after.keys() - changed)  # byte for byte
    gone = 2 * len(["corrupt", "truncate", "empty", "flatten", "duplicate", "compress", "rescale"])
    assert len(after) == report["fix"]["written"] == len(before) - gone
    assert {Path(name).suffix for name in changed} <= {".png", ".jpg"}


@pytest.mark.usefixtures("hashes")
def test_a_scaled_down_copy_goes_and_the_large_image_stays(cli: Cli, faces: Path) -> None:
    with Image.open(faces / "0003.png") as image:
        image.resize((24, 24), Image.Resampling.LANCZOS).save(faces / "large.png")
    assert [out["file"] for out in found(cli, faces, "--fix", "clean")["fix"]["left_out"]] == ["0003.png"]


@pytest.mark.usefixtures("hashes")
def test_test_images_among_the_training_images(cli: Cli, faces: Path) -> None:
    """In another folder, or in folders that are named after splits."""
    test = planted.drawings(Path("test"), 20, side=16, seed=1)
    wanted = set(planted.leak(list(faces.iterdir()), test, 2, "test"))
    assert faults(found(cli, faces, "--test", test)) == wanted
    both = Path("both")
    shutil.copytree(faces, both / "train")
    shutil.copytree(test, both / "test")
    report = found(cli, both, "--fix", "clean")
    assert {fault["kind"] for fault in report["faults"]} == {"leaks"}
    assert report["splits"] == {"train": 40, "test": 22}
    assert "--data clean/train" in report["advice"]["command"]
    assert "would take test and train as classes" in report["warnings"][0]
    assert {path.split("/")[0] for path in content(Path("clean"))} == {"train", "test"}
    assert all(out["file"].startswith("train/") for out in report["fix"]["left_out"])  # the test data stay whole
    assert len(report["fix"]["left_out"]) == 2


def test_without_the_hashing_package_one_line_names_it(cli: Cli, faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "_library", lambda: None)
    shutil.copy(faces / "0000.png", faces / "x.png")
    done = cli("data", faces)
    assert "pip install 'gancli[data]'" in done.out
    assert "0000.png = x.png" in done.out
    assert cli("data", faces, "--strict").code == 2


def test_it_writes_nothing_and_says_so_in_its_exit_code_only_if_asked(cli: Cli, faces: Path) -> None:
    assert cli("data", faces, "--strict").code == 0
    (faces / "bad.png").write_bytes(b"GIF89a")
    before = content(Path())
    assert cli("data", faces).code == 0
    assert cli("data", faces, "--strict").code == 2
    assert cli("data", faces, "--quiet") == (0, "", "")
    assert content(Path()) == before


def test_the_command_that_it_prints_trains(cli: Cli, faces: Path) -> None:
    line = next(row for row in cli("data", faces).out.splitlines() if row.startswith("next"))
    words = line.split()[2:]
    assert words[:3] == ["train", registry.recommended(), "--data"]
    assert cli(*words, "--steps", 1, "--batch", 4, "--dry-run", "--quiet").code == 0


@pytest.mark.parametrize("side", [32, 64])
def test_without_a_gpu_large_images_are_to_begin_small(cli: Cli, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.drawings(Path("large"), 4, side=side)
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(advice, "choose_device", lambda _, device=device: torch.device(device))
        notes = found(cli, "large")["advice"]["notes"]
        assert any("--size 32 trains" in note for note in notes) == (device == "cpu" and side == 64)


def test_two_domains_get_a_translator(cli: Cli, faces: Path) -> None:
    for name in ("trainA", "trainB", "testA"):
        planted.drawings(Path("two") / name, 6, side=16, seed=len(name) + ord(name[-1]))
    planted.drawings(Path("pairs/A"), 6, side=16)
    planted.drawings(Path("pairs/B"), 6, side=16)  # the same images: no fault in two domains
    report = found(cli, "pairs")
    assert faults(report) == set()
    assert report["advice"]["variant"] == registry.recommended(registry.PAIRS)
    for path in Path("two/trainB").iterdir():
        path.rename(path.with_stem(f"b{path.stem}"))
    report = found(cli, "two")
    assert report["domains"] == {"A": 6, "B": 6}
    assert report["advice"]["variant"] == registry.recommended(registry.DOMAINS)
    assert report["advice"]["data"] == "two"


def test_classes_that_are_far_from_even(cli: Cli) -> None:
    planted.drawings(Path("animals/cat"), 20, side=16)
    planted.drawings(Path("animals/dog"), 2, side=16, seed=1)
    report = found(cli, "animals", "--fix", "clean")
    assert report["classes"] == {"cat": 20, "dog": 2}
    assert any(f"{registry.recommended(registry.LABELS)} generates" in note for note in report["advice"]["notes"])
    assert any(f"{registry.recommended(registry.DOMAINS)} translates" in note for note in report["advice"]["notes"])
    assert "cat has 10 times as many images as dog" in report["warnings"][0]
    assert content(Path("clean")) == content(Path("animals"))


# ------------------------------------------------------------------------------------------------ other sources


def test_rows_of_arrays(cli: Cli) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
    images[5] = images[3]
    images[7] = 9
    np.savez("x.npz", images=images, labels=np.arange(12) % 3)
    report = found(cli, "x.npz", "--fix", "clean")
    assert faults(report) == {Planted("duplicates", frozenset(["#3", "#5"])), Planted("one-colour", frozenset(["#7"]))}
    assert any("no file names" in line for line in report["not_checked"])
    assert (report["training"]["channels"], report["classes"]) == (1, {"0": 4, "1": 4, "2": 4})
    assert sorted(content(Path("clean")))[:2] == ["0/000000.png", "0/000003.png"]
    with Image.open("clean/2/000002.png") as image:
        assert (np.asarray(image) == images[2]).all()


def test_without_a_training_split_all_images_are_for_training(cli: Cli, faces: Path) -> None:
    """As training takes them: these folders are classes."""
    for i, path in enumerate(sorted(faces.iterdir())):
        target = faces / ("val", "test")[i % 2] / path.name
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    report = found(cli, faces)
    assert (report["images"], report["splits"], report["classes"]) == (40, {}, {"test": 20, "val": 20})


def test_a_training_split_that_cannot_be_read_is_one_line(cli: Cli, faces: Path) -> None:
    for name in ("train", "test"):
        shutil.copytree(faces, Path("split") / name)
    for path in Path("split/train").iterdir():
        path.write_bytes(b"nothing")
    done = cli("data", "split")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "none of the images of split that training would use can be read" in done.err


def test_built_in_data_and_unknown_names_are_refused_in_one_line(cli: Cli) -> None:
    for src in ("digits", "nothing", "./nothing"):
        done = cli("data", src)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
    Path("bad").mkdir()
    Path("bad/x.png").write_bytes(b"")
    assert "none of the images of bad that training would use can be read" in cli("data", "bad").err


def test_a_zip_is_checked_and_copied(cli: Cli, faces: Path) -> None:
    with zipfile.ZipFile("x.zip", "w") as archive:
        for path in sorted(faces.iterdir()):
            archive.write(path, f"x/{path.name}")
    assert found(cli, "x.zip", "--fix", "clean")["fix"]["written"] == 40
    assert content(Path("clean")) == content(faces)


# ------------------------------------------------------------------------------------------------------ the sheet


def test_the_sheet_shows_samples_by_class_and_faults(cli: Cli) -> None:
    planted.drawings(Path("animals/cat"), 12, side=16)
    planted.drawings(Path("animals/dog"), 3, side=16, seed=1)
    assert cli("data", "animals", "--sheet", "clean.png").code == 0
    shutil.copy("animals/dog/0000.png", "animals/dog/x.png")
    assert cli("data", "animals", "--sheet", "faults.png").code == 0
    with Image.open("clean.png") as clean, Image.open("faults.png") as wrong:
        assert wrong.height > clean.height > 200
        assert clean.text == {}  # type: ignore[attr-defined]  these images are not synthetic
        assert len(clean.getcolors(2**20) or ()) > 100


def test_a_sheet_is_a_png(cli: Cli) -> None:
    noise_images(Path("noise"))
    done = cli("data", "noise", "--sheet", "x.jpg")
    assert (done.code, "give a name that ends in .png" in done.err) == (2, True)
    assert not Path("x.jpg").exists()
