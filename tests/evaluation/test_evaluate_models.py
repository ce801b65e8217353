"""`gancli eval` on models: what they generate is scored, class by class where they have classes."""

import json
from pathlib import Path

import pytest
import torch

from gancli.evaluation import comparisons, evaluate
from gancli.evaluation.extractors import local
from tests.conftest import Cli, Trained
from tests.evaluation.reports import blocks, labelled, report

pytestmark = pytest.mark.usefixtures("quick")


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
    cli: Cli, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = labelled(tmp_path / "real", "cats", "dogs")
    trained("run", "dcgan", "--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)
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


def test_a_checkpoint_is_scored_and_batches_do_not_matter(
    cli: Cli, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("--steps", 3, "--batch", 8, "--width", 4, "--quiet")
    assert cli("train", "dcgan", "--data", real, "--out", "run", *small).code == 0
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


def test_path_lengths_need_no_images_of_the_model_and_say_how_they_are_measured(
    cli: Cli, trained: Trained, real: Path
) -> None:
    trained("run", "dcgan", "--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)
    found = report(cli, "run", "--data", real, "--metrics", "ppl", "-n", 8)
    assert list(found["metrics"]) == ["ppl_z_full", "ppl_z_end"]
    assert found["protocol"]["extractor"] == "local"
    assert found["protocol"]["paths"]["step"] == 1e-4
    both = report(cli, "run", "--data", real, "--metrics", "ppl,fid", "-n", 8)["metrics"]
    assert list(both) == ["frechet", "ppl_z_full", "ppl_z_end"]
    assert both["ppl_z_full"] == found["metrics"]["ppl_z_full"]


def test_path_lengths_of_a_folder_are_refused(cli: Cli, real: Path) -> None:
    result = cli("eval", real, "--data", real, "--metrics", "ppl", "--extractor", "local")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "--metrics ppl needs a model that generates images from latents, which real is not" in result.err
