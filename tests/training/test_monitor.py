"""Scores in training, and the best checkpoint that is kept by them."""

import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from gancli.checkpoints import checkpoint
from gancli.evaluation.extractors import local
from gancli.metrics import scores, table
from gancli.training import monitor
from gancli.training.output.display import Plain
from tests.conftest import Cli, noise_images
from tests.training.test_resuming import final


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "STEPS", 5)
    monkeypatch.setattr(monitor, "FAKES", 20)


def train(cli: Cli, data: Path, *options: object) -> dict:
    size = ("--batch", 8, "--width", 4, "--z-dim", 4)
    result = cli("train", "dcgan", "--data", data, "--out", "run", *size, "--json", *options)
    assert result.code == 0, result.err
    return json.loads(result.out)


def evaluations() -> list[float]:
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    return [line["frechet"] for line in lines if "frechet" in line]


def test_the_best_checkpoint_is_the_one_with_the_best_score(cli: Cli, tmp_path: Path) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    found = train(cli, data, "--steps", 12, "--eval-every", 0.024)  # every third step
    values = evaluations()
    assert len(values) == 4
    assert found["metrics"] == {"frechet": values[-1]}
    assert found["best"] == {"frechet": min(values)}
    best = checkpoint.describe(Path("run/checkpoints/best.safetensors"))
    assert best.metrics == {"frechet": min(values)}
    assert best.clock["images"] == 24 * (values.index(min(values)) + 1)
    assert cli("sample", "run", "--best", "-n", 2).code == 0
    assert not checkpoint.resumes(Path("run/checkpoints/best.safetensors"))


def test_a_resumed_run_remembers_the_best(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    monkeypatch.setattr(scores, "measure", lambda *_, **__: {"frechet": 1.0})
    train(cli, data, "--steps", 3, "--metrics", "local")
    monkeypatch.setattr(scores, "measure", lambda *_, **__: {"frechet": 2.0})
    found = train(cli, data, "--steps", 6, "--metrics", "local", "--resume")
    assert (found["metrics"], found["best"]) == ({"frechet": 2.0}, {"frechet": 1.0})


def test_eval_gives_the_number_that_training_logged(cli: Cli, tmp_path: Path) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    found = train(cli, data, "--steps", 3, "--metrics", "local")
    result = cli("eval", "run", "--data", data, "--extractor", "local", "-n", 20, "--metrics", "fid", "--json")
    assert json.loads(result.out)["metrics"]["frechet"] == pytest.approx(found["metrics"]["frechet"], rel=1e-6)


def test_measuring_does_not_change_what_is_learnt(cli: Cli, tmp_path: Path) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    size = ("--batch", 8, "--width", 4, "--steps", 6, "--quiet", "--data", data)
    cli("train", "dcgan", *size, "--out", "a", "--metrics", "none")
    cli("train", "dcgan", *size, "--out", "b", "--metrics", "local", "--eval-every", 0.008)
    last = "checkpoints/000000048.safetensors"
    with checkpoint._opened(Path("a", last)) as a, checkpoint._opened(Path("b", last)) as b:
        assert all((a.get_tensor(name) == b.get_tensor(name)).all() for name in a.keys())  # noqa: SIM118


@pytest.mark.parametrize(("metrics", "said"), [("shapes", "only on the built-in shapes"), ("fdi", "no metric 'fdi'")])
def test_what_cannot_be_measured_is_said_before_training(cli: Cli, tmp_path: Path, metrics: str, said: str) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    result = cli("train", "dcgan", "--data", data, "--metrics", metrics, "--out", "run")
    assert (result.code, said in result.err) == (2, True)


BEST = {  # what four evaluations give, and which is the best
    "modes_hit": ([2, 8, 5, 1], 1),
    "AB_domain_right": ([0.1, 0.2, 0.9, 0.3], 2),
    "1nn": ([1.0, 0.9, 0.45, 0.0], 2),
    "ssim": ([0.5, 0.1, 0.2, 0.3], 0),
}


@pytest.mark.parametrize("name", BEST)
def test_the_best_checkpoint_is_the_one_that_is_best_by_its_metric(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    values, best = BEST[name]
    coming = iter(values)
    monkeypatch.setattr(scores, "measure", lambda *_, **__: {name: float(next(coming))})
    data = noise_images(tmp_path / "real", 24, (16, 16))
    found = train(cli, data, "--steps", 12, "--eval-every", 0.024, "--metrics", "local")
    assert found["metrics"] == {name: values[-1]}
    assert found["best"] == {name: values[best]}
    assert checkpoint.describe(Path("run/checkpoints/best.safetensors")).clock["images"] == 24 * (best + 1)


def test_a_score_of_certainty_alone_chooses_no_checkpoint(cli: Cli, tmp_path: Path) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    result = cli("train", "dcgan", "--data", data, "--metrics", "fid-jackknife", "--out", "run")
    assert (result.code, "gives the uncertainty of a score" in result.err) == (2, True)
    assert not Path("run/run.json").exists()


def better(one: dict[str, float], other: dict[str, float]) -> bool:
    return table.selection_score(one) > table.selection_score(other)


def test_the_first_number_decides() -> None:
    assert better({"is": 3.0, "fid": 9.0}, {"is": 2.0, "fid": 1.0})
    assert better({"fid_error": 3.0, "fid": 1.0}, {"fid_error": 2.0, "fid": 9.0})  # the first that judges


def test_what_means_little_alone_is_multiplied() -> None:
    assert better({"valid_share": 0.5, "mode_coverage": 1.0}, {"valid_share": 0.9, "mode_coverage": 0.1})
    assert better({"modes_hit": 7, "share_within_3_sigma": 0.9}, {"modes_hit": 8, "share_within_3_sigma": 0.1})


def test_all_directions_and_all_classes_count() -> None:
    good = {"AB_domain_right": 0.8, "AB_iou": 0.9, "BA_domain_right": 0.8, "BA_iou": 0.9}
    assert better(good, {**good, "AB_domain_right": 0.85, "BA_domain_right": 0.1})
    assert better(good, {**good, "AB_domain_right": 0.85, "BA_iou": 0.1})
    assert better({"fid_class_0": 3.0, "fid_class_1": 3.0}, {"fid_class_0": 2.0, "fid_class_1": 9.0})


@pytest.mark.usefixtures("own_cache")
def test_ctrl_c_while_the_extractor_is_trained_leaves_a_run_that_can_go_on(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    words = ("train", "dcgan", "--data", data, "--batch", 8, "--width", 4, "--z-dim", 4, "--steps", 3)
    words = (*words, "--metrics", "local")

    def interrupted(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(local, "corrupt", interrupted)
        stopped = cli(*words, "--out", "x")
    assert stopped.code == 130, stopped.err
    assert checkpoint.describe(Path("x/checkpoints/000000000.safetensors")).clock["step"] == 0
    command = next(row[10:] for row in stopped.out.splitlines() if row.startswith("next "))
    resumed = cli(*shlex.split(command)[1:])
    assert resumed.code == 0, resumed.err
    assert cli(*words, "--out", "whole").code == 0
    assert final("x") == final("whole")


@pytest.mark.usefixtures("own_cache")
def test_the_work_of_an_evaluation_is_shown(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    shown: list[tuple[str, int, int]] = []
    monkeypatch.setattr(Plain, "working", lambda _, *work: shown.append(work))
    train(cli, data, "--steps", 1, "--metrics", "local")
    assert {name for name, *_ in shown} == {"training the local extractor", "real", "generated images"}
    for name in ("training the local extractor", "real", "generated images"):
        done, of = zip(*(work[1:] for work in shown if work[0] == name))
        assert done[-1] == of[-1]
        assert list(done) == sorted(done)


@pytest.mark.usefixtures("own_cache")
def test_eval_shows_it_too_and_ctrl_c_ends_it(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.system import progress

    real, fake = noise_images(tmp_path / "real", 24, (16, 16)), noise_images(tmp_path / "fake", 24, (16, 16))
    words = ("eval", fake, "--data", real, "--extractor", "local", "--metrics", "fid")
    monkeypatch.setattr(progress, "SECONDS", 0)
    told = cli(*words)
    assert told.code == 0, told.err
    assert "training the local extractor: 320 of 320 images" in told.err
    monkeypatch.setattr(progress.Lines, "__call__", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert cli(*words).code == 130
