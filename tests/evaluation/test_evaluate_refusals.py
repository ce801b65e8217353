"""What `gancli eval` refuses is one line, before any work where that can be known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.evaluation import evaluate, image_sets, stats_files
from gancli.evaluation.extractors.extractor_table import make_extractor
from tests.conftest import Cli
from tests.evaluation.reports import blocks, report

pytestmark = pytest.mark.usefixtures("quick")


def test_unlike_numbers_of_images_do_not_compare(cli: Cli, real: Path, tmp_path: Path) -> None:
    a, b = blocks(tmp_path / "a", 10, 1), blocks(tmp_path / "b", 12, 2)
    result = cli("eval", a, b, "--data", real, "--extractor", "local")
    assert result.code == 2
    assert "a has 10, b has 12; give -n 10" in result.err
    found = report(cli, a, b, "--data", real, "-n", 10)
    assert [entry["protocol"]["generated"]["images"] for entry in found["models"]] == [10, 10]


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
        (("--extractor", "clip"), "choose from inception, local, effnet"),
        (("--data", "nowhere/at/all"), "no such file or folder"),
        (("--extractor", "local", "--fast"), "--fast and --weights work only with"),
        (("--metrics", "fid-per-class", "--extractor", "local"), "needs classes for real and generated images"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, real: Path, options: tuple[str, ...], said: str) -> None:
    result = cli("eval", real, *([] if "--data" in options else ["--data", real]), *options)
    assert result.code == 2
    assert said in result.err


def test_a_file_that_holds_no_images_is_named_as_it_was_given(cli: Cli, real: Path, tmp_path: Path) -> None:
    (tmp_path / "B").write_bytes(b"PK")
    result = cli("eval", real, tmp_path / "B", "--data", real, "--extractor", "local")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert f"gancli: {tmp_path / 'B'} is not a folder, a .zip" in result.err


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
    assert "or give --weights FILE, or --extractor local, which needs no download" in result.err


def test_offline_training_with_inception_is_one_line_too(
    cli: Cli, real: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no --weights there."""
    monkeypatch.setenv("GANCLI_MIRROR", "http://127.0.0.1:9")
    words = ("train", "gan", "--data", real, "--steps", 1, "--metrics", "fid", "--out", "x")
    result = cli(*words)
    assert result.code == 2
    assert "give --metrics local, which needs no download" in result.err
    assert "--weights" not in result.err
    assert not Path("x").exists()


@pytest.mark.parametrize("metric", ["is", "mode-score"])
def test_scores_of_classes_are_refused_for_local_before_any_work(
    cli: Cli, real: Path, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: pytest.fail("it began"))
    result = cli("eval", real, "--data", real, "--extractor", "local", "--metrics", f"fid,{metric}")
    assert result.code == 2
    assert f"--metrics {metric}: it is not meaningful with --extractor local" in result.err


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
