"""Training that leaves the finite numbers: a step is skipped, a lost run goes back once, and then stops."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.engine.finite import Health
from gancli.engine.step import SKIPPED, play_step, slow_down
from gancli.evaluation.extractors import local
from gancli.gan import GAN, Clock, Turn
from gancli.system.seeds import seed_all
from gancli.training import monitor
from gancli.training.diagnostics import DominanceCheck
from gancli.training.loop import Training
from tests.conftest import Cli, noise_images
from tests.training.test_resuming import QUICK, final
from tests.variants.small import feed, make


def planted(gan: GAN[Any], happens: Callable[[Turn], None]) -> None:
    """Let something happen to every turn of a game."""
    play = gan.play

    def lost(batch: Any, clock: Clock) -> Iterator[Turn]:
        for turn in play(batch, clock):
            happens(turn)
            yield turn

    gan.play = lost  # type: ignore[method-assign]


def spoil(turn: Turn) -> None:
    name = next(iter(turn.terms))
    turn.terms[name] = turn.terms[name] * torch.nan


def constant(turn: Turn) -> None:
    """A loss that is not finite, and has gradients that are."""
    turn.terms["lost"] = torch.tensor(torch.inf)


def state(gan: GAN[Any], players: Any) -> list[Tensor]:
    moved = [*gan.parameters(), *(v for p in players.values() for s in p.state.values() for v in s.values())]
    return copy.deepcopy([torch.as_tensor(t) for t in moved])


@pytest.mark.parametrize("plant", [spoil, constant])
@pytest.mark.parametrize("name", registry.names())
def test_a_step_that_is_not_finite_moves_nobody(name: str, plant: Callable[[Turn], None]) -> None:
    gan = make(name)
    players, data = gan.players(), feed(gan)
    if name == "wgan":  # what it clips after a turn is no step
        gan.hp = type(gan.hp)(**(vars(gan.hp) | {"clip": 1e9}))
    seed_all("step", 0)
    assert not play_step(gan, players, [data.at(0)], Clock(0, 0, 1000))[SKIPPED]
    before = state(gan, players)
    planted(gan, plant)
    assert play_step(gan, players, [data.at(8)], Clock(1, 8, 1000))[SKIPPED]
    after = state(gan, players)
    assert len(before) == len(after)
    assert all(torch.equal(a, b) for a, b in zip(before, after))


@pytest.mark.parametrize("name", ["gan", "dualgan"])
def test_a_first_step_that_is_not_finite_leaves_no_trace(name: str) -> None:
    gan = make(name)
    players, data = gan.players(), feed(gan)
    with_it = copy.deepcopy(gan)
    others = with_it.players()
    planted(with_it, spoil)
    play_step(with_it, others, [data.at(0)], Clock(0, 0, 1000))
    del with_it.play
    for one, its in ((gan, players), (with_it, others)):
        seed_all("step", 0)
        play_step(one, its, [data.at(0)], Clock(0, 0, 1000))
    assert all(torch.equal(a, b) for a, b in zip(state(gan, players), state(with_it, others)))


def test_micro_batches_share_one_verdict() -> None:
    gan = make("gan")
    players, data = gan.players(), feed(gan)
    seen: list[Turn] = []

    def second(turn: Turn) -> None:
        seen.append(turn)
        if len(seen) == 2:
            spoil(turn)

    planted(gan, second)
    before = state(gan, players)
    play_step(
        gan,
        {"D": players["D"], "G": torch.optim.SGD(gan.get_submodule("G").parameters(), 0.0)},
        data.at(0).split(2),
        Clock(0, 0, 1),
    )
    assert all(torch.equal(a, b) for a, b in zip(before, state(gan, players)))


def test_counts_of_skipped_steps() -> None:
    counts = Health()
    for bad in (0.0, 1.0, 1.0, 0.0, 1.0):
        counts.add(torch.tensor(bad))
    assert counts.read() == (3, 1)
    assert counts.read() == (0, 1)
    counts.add(torch.ones(()))
    assert counts.read() == (1, 2)


def test_halved_rates_stay_halved_whoever_sets_them() -> None:
    for name in ("gan", "bigan"):  # by the optimiser, and by a schedule
        gan = make(name)
        players, data = gan.players(), feed(gan)
        slow_down(players, 0.5)
        for step in range(2):
            play_step(gan, players, [data.at(0)], Clock(step, 0, 1000), slower=0.5)
        assert {group["lr"] for p in players.values() for group in p.param_groups} == {gan.hp.lr / 2}


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
            winner.tick({"D/adversarial": loss}, i / len(dips))
    assert said == []


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
