"""Training that leaves the finite numbers: a lost run goes back once, and then stops; what else a run warns of."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.evaluation.extractors import local
from gancli.gan import GAN, Clock, Turn
from gancli.training import monitor
from gancli.training.diagnostics import DominanceCheck
from gancli.training.loop import Training
from tests.conftest import Cli, noise_images
from tests.engine.spoiling import spoil
from tests.training.test_resuming import QUICK, final

# --- a run


def ill(monkeypatch: pytest.MonkeyPatch, sick: Callable[[Training], bool]) -> None:
    """Spoil the weights of the discriminator at some steps of a run."""
    play = Training.step

    def step(self: Training) -> dict[str, Tensor]:
        if sick(self):
            with torch.no_grad():
                next(iter(self.state.gan.parameters())).fill_(torch.nan)
        return play(self)

    monkeypatch.setattr(Training, "step", step)


def train(cli: Cli, data: Path, *more: object) -> Any:
    return cli("train", "gan", "--data", data, *QUICK, "--steps", 40, "--metrics", "none", "--out", "x", *more)


def test_weights_that_are_lost_come_back_from_the_last_checkpoint(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill(monkeypatch, lambda run: run.state.clock.step == 30 and run.state.slower == 1)
    result = train(cli, pictures, "--save-every", 0.04)
    assert result.code == 0, result.err
    assert "the weights were not finite at step 31: returning to step 30 with half the learning rate" in result.out
    steps = [json.loads(line)["step"] for line in Path("x/metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 41))
    newest = max(Path("x/checkpoints").iterdir())
    assert checkpoint.describe(newest).run["slower"] == 0.5


def test_without_a_checkpoint_training_begins_again(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it ends with is what a run with half the rate ends with."""
    with monkeypatch.context() as patch:
        ill(patch, lambda run: run.state.clock.step == 5 and run.state.slower == 1)
        result = train(cli, pictures)
    assert "returning to step 0" in result.out
    lr = json.loads(Path("x/run.json").read_text())["hparams"]["lr"]
    again = cli("train", "gan", "--data", pictures, *QUICK, "--steps", 40, "--lr", lr / 2, "--out", "y")
    assert again.code == 0
    from safetensors.torch import load

    ours, theirs = load(final("x")), load(final("y"))
    assert not [name for name in theirs if not torch.equal(ours[name], theirs[name])]


def test_a_run_that_is_lost_twice_stops_with_its_step(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill(monkeypatch, lambda run: run.state.clock.step == 12)
    result = train(cli, pictures, "--save-every", 0.02)
    assert result.code == 3
    assert (
        "the weights were not finite at step 13 again, after returning to a checkpoint with half the learning rate"
        in result.err
    )
    assert len(result.err.strip().splitlines()) == 1
    assert all(checkpoint.resumes(path) for path in sorted(Path("x/checkpoints").iterdir())[-2:])


def test_single_lost_steps_are_counted_and_said(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play = registry.load("gan").play

    def sometimes(self: GAN[Any], batch: Any, clock: Clock) -> Iterator[Turn]:
        for turn in play(self, batch, clock):
            if clock.step in (7, 8, 20):
                spoil(turn)
            yield turn

    monkeypatch.setattr(registry.load("gan"), "play", sometimes)
    result = train(cli, pictures)
    assert result.code == 0
    assert "1 step skipped: loss or gradient not finite" in result.out
    ticks = [json.loads(line) for line in Path("x/metrics.jsonl").read_text().splitlines()]
    assert [tick["step"] for tick in ticks if "skipped" in tick] == [8, 9, 21]
    assert all("D/adversarial" in tick for tick in ticks if "skipped" not in tick)


def test_rates_that_cannot_work_stop_with_exit_code_3(cli: Cli, pictures: Path) -> None:
    result = cli("train", "lsgan", "--data", pictures, *QUICK, "--lr", 1e30, "--steps", 40, "--out", "x")
    assert result.code == 3
    assert "training diverged: 10 steps in a row were not finite at step" in result.err


# --- memory


def small_memory(monkeypatch: pytest.MonkeyPatch, rows: int) -> list[int]:
    """A device on which a game of more rows than that does not fit; returns the rows of the games that were played."""
    played: list[int] = []
    play = registry.load("gan").play

    def checked(self: GAN[Any], batch: Any, clock: Clock) -> Iterator[Turn]:
        played.append(len(batch))
        if len(batch) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        yield from play(self, batch, clock)

    monkeypatch.setattr(registry.load("gan"), "play", checked)
    return played


def test_out_of_memory_halves_the_parts_once(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(cli, pictures, "--accumulate", 2, "--steps", 5).code == 0
    Path("x").rename("y")
    with monkeypatch.context() as patch:
        played = small_memory(patch, 2)
        result = train(cli, pictures, "--steps", 5)
    assert result.code == 0, result.err
    assert result.out.count("out of memory in step 1: each batch is now computed in 2 micro-batches") == 1
    assert "give --accumulate 2 to start that way" in result.out
    assert played == [4, *([2] * 10)]
    from safetensors.torch import load

    ours, theirs = load(final("x")), load(final("y"))
    assert not [name for name in theirs if not torch.equal(ours[name], theirs[name])]


def test_out_of_memory_with_half_of_it_too_is_an_error(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_memory(monkeypatch, 1)
    result = train(cli, pictures)
    assert result.code == 2
    assert "not enough memory: give a smaller --batch" in result.err


# --- words


def test_a_discriminator_that_always_wins_is_said_once(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = registry.load("gan").play

    def frozen(self: GAN[Any], batch: Any, clock: Clock) -> Iterator[Turn]:
        for turn in play(self, batch, clock):
            if turn.player == "G":
                turn.terms = {name: term * 0 for name, term in turn.terms.items()}
            yield turn

    monkeypatch.setattr(registry.load("gan"), "play", frozen)
    result = train(cli, pictures, "--steps", 400, "--lr", 5e-3)
    assert result.code == 0
    assert result.out.count("D overpowers G") == 1
    assert "Try a lower --lr" in result.out


def test_a_loss_that_only_dips_is_no_victory() -> None:
    said: list[str] = []
    for dips in ([1.4, 0.01, 1.4, 0.01] * 50, [0.001] * 100, [-3.0] * 100, [1.4, *([-1.0] * 99)]):
        winner = DominanceCheck(said.append)
        for i, loss in enumerate(dips):
            winner.tick({"D/adversarial": loss}, i / len(dips), 1000 * i)
    assert said == []


@pytest.mark.parametrize("steps", [4, 4000])
def test_nobody_wins_in_a_few_steps(steps: int) -> None:
    said: list[str] = []
    winner = DominanceCheck(said.append)
    for i in range(1, 5):
        winner.tick({"D/adversarial": 1.4 if i == 1 else 0.001}, i / 4, i * steps // 4)
    assert bool(said) == (steps > 4)


def test_a_collapsed_generator_is_said(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.load("gan"), "fakes", lambda self, batch: batch.image[:1].expand_as(batch.image))
    assert "possible mode collapse: samples differ by only 0%" in train(cli, pictures, "--steps", 2).out


def test_samples_as_various_as_the_data_are_not_said_to_be_alike(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.load("gan"), "fakes", lambda self, batch: batch.image.flip(3))
    assert "mode collapse" not in train(cli, pictures, "--steps", 2).out


@pytest.mark.parametrize("copies", [True, False])
def test_samples_that_copy_the_data_are_said(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: bool
) -> None:
    monkeypatch.setattr(local, "STEPS", 5)
    monkeypatch.setattr(monitor, "FAKES", 20)
    data = noise_images(tmp_path / "real", 24, (16, 16))
    fakes = (lambda self, batch: batch.image) if copies else (lambda self, batch: torch.rand_like(batch.image) * 2 - 1)
    monkeypatch.setattr(registry.load("gan"), "fakes", fakes)
    command = ("train", "gan", "--data", data, *QUICK, "--steps", 2, "--metrics", "local", "--out", "x")
    assert ("100% of the samples are copies of training images" in cli(*command).out) == copies
