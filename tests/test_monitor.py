"""Scores in training, and the best checkpoint that is kept by them."""

import json
from pathlib import Path

import pytest

from gancli import checkpoint, monitor
from gancli.metrics import scores
from gancli.metrics.extractors import local
from tests.conftest import Cli, noise_images


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


@pytest.mark.parametrize(("metrics", "said"), [("shapes", "built-in shapes only"), ("fdi", "no metric 'fdi'")])
def test_what_cannot_be_measured_is_said_before_training(cli: Cli, tmp_path: Path, metrics: str, said: str) -> None:
    data = noise_images(tmp_path / "real", 24, (16, 16))
    result = cli("train", "dcgan", "--data", data, "--metrics", metrics, "--out", "run")
    assert (result.code, said in result.err) == (2, True)


def test_more_is_better_for_some() -> None:
    assert scores.worth({"is": 3.0, "fid": 9.0}) > scores.worth({"is": 2.0, "fid": 1.0})
    assert scores.worth({"fid": 3.0}) > scores.worth({"fid": 4.0})
    half = {"valid_share": 0.5, "mode_coverage": 1.0}
    assert scores.worth(half) > scores.worth({"valid_share": 0.9, "mode_coverage": 0.1})
