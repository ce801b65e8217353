"""`gancli eval` on folders and archives, with the local extractor."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.cli.main import main
from gancli.data.request import Wanted
from gancli.data.sources import builtin
from gancli.evaluation import extract
from gancli.evaluation.extractors import local
from gancli.system import cache
from tests import forked
from tests.conftest import Cli, noise_images
from tests.evaluation.reports import blocks, report

pytestmark = pytest.mark.usefixtures("quick")


def test_a_folder_against_others_comes_out_in_the_right_order(cli: Cli, real: Path, tmp_path: Path) -> None:
    other, dark = blocks(tmp_path / "other", 40, 1), blocks(tmp_path / "dark", 40, 1, dark=4)
    names = "fid,kid,precision-recall,density-coverage,mmd,wasserstein,1nn,copies"
    found = report(cli, real, other, dark, "--data", real, "--metrics", names)
    same, alike, apart = (entry["metrics"] for entry in found["models"])
    for name in ("frechet", "kid", "mmd", "wasserstein"):
        assert same[name] < alike[name] < apart[name], name
    for name in ("precision", "recall", "density", "coverage"):
        assert same[name] >= alike[name] >= apart[name], name
        assert same[name] > apart[name], name
    assert same["frechet"] == pytest.approx(0, abs=1e-6)
    assert (same["copies"], alike["copies"]) == (1, 0)
    assert (same["1nn"], apart["1nn"]) == (0, 1)
    assert "fid" not in same  # not Inception's features


def test_the_protocol_says_what_the_number_stands_on(cli: Cli, real: Path, tmp_path: Path) -> None:
    found = report(cli, blocks(tmp_path / "x", 30, 1), "--data", real, "--reals", 20, "--metrics", "fid")
    said = found["protocol"]
    assert said["extractor"] == "local"
    assert said["precision"] == "fp32"
    assert (said["generated"]["images"], said["real"]["images"]) == (30, 20)
    assert len(said["real"]["content"]) == 16
    assert {"gancli", "torch"} <= said["versions"].keys()


def test_archives_and_arrays_score_like_the_folder(cli: Cli, real: Path, tmp_path: Path) -> None:
    other = blocks(tmp_path / "x", 20, 1)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in sorted(other.iterdir()):
            archive.write(path, f"inside/{path.name}")
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted(other.iterdir())])
    np.savez(tmp_path / "x.npz", images=pixels)
    found = report(cli, other, tmp_path / "x.zip", tmp_path / "x.npz", "--data", real, "--metrics", "fid,kid")
    first, *rest = (entry["metrics"] for entry in found["models"])
    assert all(metrics == first for metrics in rest)


def test_a_warm_cache_reads_no_real_image_twice_and_follows_content(
    cli: Cli, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = blocks(tmp_path / "x", 20, 1)
    shutil.rmtree(real)
    blocks(real, 40, 77)  # that no other test has put into the cache
    seen: list[str] = []
    collect = extract.collect

    def counted(side, *rest):
        seen.append(side.name)
        return collect(side, *rest)

    monkeypatch.setattr(extract, "collect", counted)
    cold = report(cli, fake, "--data", real)
    warm = report(cli, fake, "--data", real)
    assert cold == warm
    assert seen == ["real", "x", "x"]
    moved = shutil.copytree(real, tmp_path / "moved")  # the same images elsewhere
    assert report(cli, fake, "--data", moved)["metrics"] == cold["metrics"]
    shutil.rmtree(real)
    blocks(real, 40, 5)  # other images under the same name
    assert report(cli, fake, "--data", real)["metrics"] != cold["metrics"]
    assert seen == ["real", "x", "x", "x", "real", "x"]


def test_mixed_sizes_and_broken_files_are_named_and_counted(cli: Cli, real: Path, tmp_path: Path) -> None:
    odd = blocks(tmp_path / "odd", 150, 1)
    blocks(odd / "b", 5, 2, (20, 30))
    noise_images(odd / "grey", 3, mode="LA")
    (odd / "bad.png").write_bytes(b"nothing")
    result = cli("eval", odd, "--data", real, "--extractor", "local", "--metrics", "fid")
    assert result.code == 0
    assert "odd: skipped 1 unreadable: bad.png" in result.err
    assert "odd: images have 3 different sizes: each was resized separately" in result.err
    assert " 158 " in result.out
    for i in range(5):
        (odd / f"bad{i}.png").write_bytes(b"nothing")
    result = cli("eval", odd, "--data", real, "--extractor", "local")
    assert result.code == 2
    assert "6 of 164 images of odd cannot be read" in result.err


def test_few_images_are_warned_of_and_local_is_never_called_fid(cli: Cli, real: Path) -> None:
    result = cli("eval", real, "--data", real, "--extractor", "local")
    assert "only 40 images" in result.err
    assert "kid (unbiased)" in result.err
    assert "not FID" in result.out
    assert "fid " not in result.out


def test_classes_are_scored_apart(cli: Cli, tmp_path: Path) -> None:
    for side, seed in (("fake", 1), ("real", 2)):
        blocks(tmp_path / side / "cats", 10, seed)
        blocks(tmp_path / side / "dogs", 10, seed + 9, dark=3)
    found = report(cli, tmp_path / "fake", "--data", tmp_path / "real", "--metrics", "fid-per-class")
    assert list(found["metrics"]) == ["frechet_class_0", "frechet_class_1"]


def test_by_default_local_gives_its_distance_only(cli: Cli, real: Path) -> None:
    assert list(report(cli, real, "--data", real)["metrics"]) == ["frechet"]


def test_the_deviation_of_kid_is_not_zero_for_few_images(cli: Cli, real: Path, tmp_path: Path) -> None:
    found = report(cli, blocks(tmp_path / "x", 30, 1), "--data", real, "--metrics", "kid")["metrics"]
    assert found["kid_std"] > 0
    found = report(cli, blocks(tmp_path / "y", 3, 1), "--data", real, "--metrics", "kid")["metrics"]
    assert list(found) == ["kid"]  # three images have no halves


def test_copies_are_called_out_by_name_and_picture(cli: Cli, real: Path, tmp_path: Path) -> None:
    result = cli(
        "eval", real, "--data", real, "--extractor", "local", "--neighbours", "near.png", "--metrics", "copies"
    )
    assert result.code == 0
    assert "real may have memorised real images: 100% of its images are near-copies" in result.err
    with Image.open("near.png") as picture:
        assert picture.width > 200
    fair = blocks(tmp_path / "fair", 40, 1)
    result = cli(
        "eval", fair, "--data", real, "--extractor", "local", "--neighbours", "big.png", "--metrics", "copies",
        "--scale", 3,
    )  # fmt: skip
    assert "memorised" not in result.err
    with Image.open("near.png") as picture, Image.open("big.png") as big:
        assert big.size == (3 * picture.width, 3 * picture.height)
    result = cli("eval", fair, "--data", real, "--extractor", "local", "--scale", 3)
    assert (result.code, result.err.strip()) == (
        2,
        "gancli: --scale needs --neighbours: give that too, or leave --scale out",
    )


def test_shapes_are_read_without_any_network(cli: Cli, tmp_path: Path) -> None:
    pictures = builtin.open_builtin("shapes-easy", Wanted()).images[:40]
    np.savez(tmp_path / "drawn.npz", images=pictures)
    noise = np.random.default_rng(0).integers(0, 256, pictures.shape, np.uint8)
    np.savez(tmp_path / "noise.npz", images=noise)
    arguments = ("--data", "shapes-easy", "--metrics", "shapes")
    found = json.loads(cli("eval", tmp_path / "drawn.npz", tmp_path / "noise.npz", *arguments, "--json").out)
    drawn, noisy = (entry["metrics"] for entry in found["models"])
    assert drawn["valid_share"] > 0.9
    assert noisy["valid_share"] == 0
    assert cli("eval", tmp_path / "drawn.npz", "--data", tmp_path, "--metrics", "shapes").code == 2


def in_small_batches() -> None:
    local.STEPS, local.Local.batch = 12, 7
    main()


@pytest.mark.processes
def test_two_processes_give_the_numbers_of_one(cli: Cli, real: Path, tmp_path: Path) -> None:
    fake = blocks(tmp_path / "x", 33, 1)
    options = ("--data", real, "--metrics", "fid,kid,precision-recall", "--device", "cpu")
    alone = report(cli, fake, *options)
    shutil.rmtree(cache.root() / "features")
    done = forked.together(2, "eval", fake, *options, "--extractor", "local", "--json", program=in_small_batches)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"] == pytest.approx(alone["metrics"], rel=1e-5, abs=1e-6)
