"""`gancli eval`, with the local extractor and with Inception's shape at random."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gancli.cli.main import main
from gancli.data.request import Wanted
from gancli.data.sources import builtin
from gancli.evaluation import comparisons, evaluate, extract, image_sets, stats_files
from gancli.evaluation.extractors import local
from gancli.evaluation.extractors.extractor_table import make_extractor
from gancli.system import cache
from tests import forked
from tests.conftest import Cli, noise_images


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "STEPS", 12)


def blocks(folder: Path, count: int, seed: int, size: tuple[int, int] = (16, 16), dark: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8) // dark
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return blocks(tmp_path / "real", 40, 0)


def report(cli: Cli, *arguments: object) -> dict:
    result = cli("eval", *arguments, "--extractor", "local", "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


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


def test_unlike_numbers_of_images_do_not_compare(cli: Cli, real: Path, tmp_path: Path) -> None:
    a, b = blocks(tmp_path / "a", 10, 1), blocks(tmp_path / "b", 12, 2)
    result = cli("eval", a, b, "--data", real, "--extractor", "local")
    assert result.code == 2
    assert "a has 10, b has 12; give -n 10" in result.err
    found = report(cli, a, b, "--data", real, "-n", 10)
    assert [entry["protocol"]["generated"]["images"] for entry in found["models"]] == [10, 10]


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


@pytest.mark.parametrize("side", ["fake", "real"])
def test_an_empty_side_is_wrong_use(cli: Cli, real: Path, tmp_path: Path, side: str) -> None:
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "empty.npz", images=np.zeros((0, 8, 8, 3), np.uint8))
    for empty in (tmp_path / "empty", tmp_path / "empty.npz"):
        pair = (empty, "--data", real) if side == "fake" else (real, "--data", empty)
        result = cli("eval", *pair, "--extractor", "local")
        assert result.code == 2
        assert any(said in result.err for said in ("no images", "no uint8 array of images"))
        assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--metrics", "fdi"), "no metric 'fdi'"),
        (("--metrics", ","), "--metrics is empty"),
        (("--extractor", "clip"), "there are inception, local, effnet"),
        (("--data", "nowhere/at/all"), "no such file or folder"),
        (("--extractor", "local", "--fast"), "--fast and --weights work only with"),
        (("--metrics", "fid-per-class", "--extractor", "local"), "needs classes for real and generated images"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, real: Path, options: tuple[str, ...], said: str) -> None:
    result = cli("eval", real, *([] if "--data" in options else ["--data", real]), *options)
    assert result.code == 2
    assert said in result.err


def test_offline_inception_is_one_line_with_url_and_place(
    cli: Cli, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANCLI_MIRROR", "http://127.0.0.1:9")
    result = cli("eval", real, "--data", real)
    assert result.code == 2
    assert (
        "http://127.0.0.1:9/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
        in result.err
    )
    assert "or give --weights FILE" in result.err


def test_classes_are_scored_apart(cli: Cli, tmp_path: Path) -> None:
    for side, seed in (("fake", 1), ("real", 2)):
        blocks(tmp_path / side / "cats", 10, seed)
        blocks(tmp_path / side / "dogs", 10, seed + 9, dark=3)
    found = report(cli, tmp_path / "fake", "--data", tmp_path / "real", "--metrics", "fid-per-class")
    assert list(found["metrics"]) == ["frechet_class_0", "frechet_class_1"]


@pytest.mark.parametrize("metric", ["is", "mode-score"])
def test_scores_of_classes_are_refused_for_local_before_any_work(
    cli: Cli, real: Path, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: pytest.fail("it began"))
    result = cli("eval", real, "--data", real, "--extractor", "local", "--metrics", f"fid,{metric}")
    assert result.code == 2
    assert f"--metrics {metric} is not meaningful with --extractor local" in result.err


def test_by_default_local_gives_its_distance_only(cli: Cli, real: Path) -> None:
    assert list(report(cli, real, "--data", real)["metrics"]) == ["frechet"]


def test_the_deviation_of_kid_is_not_zero_for_few_images(cli: Cli, real: Path, tmp_path: Path) -> None:
    found = report(cli, blocks(tmp_path / "x", 30, 1), "--data", real, "--metrics", "kid")["metrics"]
    assert found["kid_std"] > 0
    found = report(cli, blocks(tmp_path / "y", 3, 1), "--data", real, "--metrics", "kid")["metrics"]
    assert list(found) == ["kid"]  # three images have no halves


def labelled(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        blocks(folder / name, 20, seed, dark=seed + 1)
    return folder


def test_each_class_of_a_model_is_scored(cli: Cli, tmp_path: Path) -> None:
    data = labelled(tmp_path / "real", "cats", "dogs")
    size = ("--steps", 3, "--batch", 8, "--width", 4, "--z-dim", 4, "--quiet", "--metrics", "none")
    assert cli("train", "cgan", "--data", data, "--out", "run", *size).code == 0
    found = report(cli, "run", "--data", data, "--metrics", "fid,fid-per-class", "-n", 40)["metrics"]
    assert list(found) == ["frechet", "frechet_class_0", "frechet_class_1"]
    alone = report(cli, "run", "--data", data, "--metrics", "fid", "-n", 40)["metrics"]
    assert alone["frechet"] == found["frechet"]  # the same images
    others = labelled(tmp_path / "others", "cats", "birds")
    result = cli("eval", "run", "--data", others, "--metrics", "fid-per-class", "--extractor", "local")
    assert result.code == 2
    assert "run generates the classes cats, dogs; others has birds, cats" in result.err


def test_a_model_without_classes_is_refused_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = labelled(tmp_path / "real", "cats", "dogs")
    trained(cli, "run", data)
    monkeypatch.setattr(evaluate, "make_extractor", lambda *_, **__: pytest.fail("it began"))
    result = cli("eval", "run", "--data", data, "--metrics", "fid-per-class", "--extractor", "local")
    assert result.code == 2
    assert "run does not generate images of a chosen class" in result.err


def test_filled_images_are_scored_against_other_images(cli: Cli, tmp_path: Path) -> None:
    data = blocks(tmp_path / "real", 40, 0)
    size = ("--steps", 2, "--batch", 8, "--width", 4, "--bottleneck", 4, "--quiet", "--metrics", "none")
    assert cli("train", "context-encoder", "--data", data, "--out", "run", *size).code == 0
    options = comparisons.Options(inputs=("run",), data=str(data), metrics=("fid",), extractor="local")
    trial = comparisons.open_trials(options, torch.device("cpu"))[0]
    assert trial.real is not None
    assert (trial.fake.count, trial.real.count) == (20, 20)
    filled, real = (torch.cat(list(side.batches(100))) for side in (trial.fake, trial.real))
    corners = [{tuple(row) for row in side[:, :, :4].flatten(1).tolist()} for side in (filled, real)]  # never a hole
    assert all(len(side) == 20 for side in corners)
    assert not corners[0] & corners[1]
    found = report(cli, "run", "--data", data, "--metrics", "fid")
    assert found["protocol"]["real"]["split"] == "train (the half that is not filled)"


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
        "eval", fair, "--data", real, "--extractor", "local", "--neighbours", "near.png", "--metrics", "copies"
    )
    assert "memorised" not in result.err


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
    options = ("--data", real, "--metrics", "fid,kid,precision-recall")
    alone = report(cli, fake, *options)
    shutil.rmtree(cache.root() / "features")
    done = forked.together(2, "eval", fake, *options, "--extractor", "local", "--json", program=in_small_batches)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"] == pytest.approx(alone["metrics"], rel=1e-5, abs=1e-6)


# --------------------------------------------------------------------------------------------- checkpoints


def trained(cli: Cli, out: str, data: Path, *options: object) -> None:
    arguments = ("--data", data, "--out", out, "--steps", 3, "--batch", 8, "--width", 4, "--quiet", *options)
    result = cli("train", "dcgan", *arguments)
    assert result.code == 0, result.err


def test_a_checkpoint_is_scored_and_batches_do_not_matter(
    cli: Cli, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(cli, "run", real)
    found = report(cli, "run", "--data", real, "-n", 130, "--metrics", "fid,kid", "--out", "report.json")
    said = found["protocol"]["generated"]
    assert said | {"checkpoint": ""} == {"model": "run", "checkpoint": "", "images": 130, "seed": 0, "ema": True}
    assert found["protocol"]["real"]["size"] == "16x16"
    assert json.loads(Path("report.json").read_text()) == found
    monkeypatch.setattr(local.Local, "batch", 7)
    again = report(cli, "run", "--data", real, "-n", 130, "--metrics", "fid,kid")
    assert again["metrics"] == pytest.approx(found["metrics"], rel=1e-5)
    other = report(cli, "run", "--data", real, "-n", 130, "--metrics", "fid,kid", "--seed", 1)
    assert other["metrics"] != again["metrics"]
    assert other["metrics"]["frechet"] == pytest.approx(again["metrics"]["frechet"], rel=0.2)


def test_unlike_statistics_are_refused(cli: Cli, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, stats = blocks(tmp_path / "x", 20, 1), tmp_path / "s.npz"
    written = report(cli, fake, "--data", real, "--metrics", "fid", "--stats", stats)
    features, said = stats_files.read(stats)
    assert said is not None
    images = image_sets.open_images(str(real), "train", None, None)
    network = make_extractor("local", images, torch.device("cpu"))
    monkeypatch.setattr(evaluate, "make_extractor", lambda *_, **__: network)
    read = report(cli, fake, "--metrics", "fid", "--stats", stats)
    assert read["metrics"] == pytest.approx(written["metrics"], rel=1e-6)
    result = cli("eval", fake, "--metrics", "kid", "--stats", stats, "--extractor", "local")
    assert (result.code, "moments only" in result.err) == (2, True)
    stats_files.write(stats, features, said | {"precision": "bf16"})
    result = cli("eval", fake, "--metrics", "fid", "--stats", stats, "--extractor", "local")
    assert result.code == 2
    assert "was made with precision bf16 (now fp32)" in result.err
    np.savez(stats, mu=np.zeros(3), sigma=np.zeros((2, 2)))
    assert "the shapes of mu [3] and sigma [2, 2] differ" in cli("eval", fake, "--stats", stats).err
    np.savez(stats, other=np.zeros(3))
    assert "does not contain mu and sigma" in cli("eval", fake, "--stats", stats).err
