"""A step as a graph does what the step does. On the CPU a stand-in captures, which replays as a GPU would."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.engine.cuda_graphs import WARM_UP, Graphs, Log, rates_on_device
from gancli.engine.step import play_step
from gancli.gan import GAN, Clock, Turn
from gancli.system.seeds import seed_all
from tests.variants.small import feed, make

TOTAL = 160
QUICK = ("gan", "dcgan", "wgan-gp", "cyclegan", "began", "infogan", "discogan")
CLOCKED = {
    "discogan": "progress",
    "progan": "images",
    "stylegan": "images",
}  # what a game reads of the clock, and why it is no graph


class StandIn:
    """Captures without computing; a replay runs with the Python of that moment: its clock, its batch."""

    def __init__(self, gan: GAN[Any], players: Any) -> None:
        self.gan, self.players, self.captured, self.replayed = gan, players, 0, 0

    def warm(self, play: Callable[[], Log]) -> Log:
        return play()

    def capture(self, play: Callable[[], Log]) -> tuple[Callable[[], object], Log]:
        self.captured += 1
        tensors = self._tensors()
        before, noise = [t.clone() for t in tensors], torch.get_rng_state()
        log = play()
        with torch.no_grad():
            for tensor, value in zip(tensors, before):
                tensor.copy_(value)
        torch.set_rng_state(noise)

        def replay() -> None:
            self.replayed += 1
            for name, value in play().items():
                log[name].copy_(value)

        return replay, log

    def _tensors(self) -> list[Tensor]:
        states = [v for p in self.players.values() for s in p.state.values() for v in s.values()]
        return [*self.gan.parameters(), *self.gan.buffers(), *(v for v in states if isinstance(v, Tensor))]


def run(gan: GAN[Any], play: Callable[[list[Any], Clock], Log], steps: int) -> list[dict[str, float]]:
    data, logs = feed(gan), []
    for step in range(steps):
        seed_all("step", 0, step)
        gan.train()
        log = play([data.at(step * data.batch)], Clock(step, step * data.batch, TOTAL))
        logs.append({name: float(value) for name, value in log.items()})
    return logs


def eagerly(gan: GAN[Any], steps: int) -> list[dict[str, float]]:
    """Play steps without a graph; the rates are float32, as on a device."""
    players = gan.players()
    for player in players.values():
        rates_on_device(player, gan.device)
    return run(gan, lambda parts, clock: play_step(gan, players, parts, clock), steps)


def graphed(gan: GAN[Any]) -> tuple[Graphs, StandIn]:
    players = gan.players()
    engine = StandIn(gan, players)
    return Graphs(gan, players, nullcontext, engine), engine


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in registry.names()]
)
def test_graphs_give_what_eager_steps_give(name: str) -> None:
    eager = make(name, n_critic=2)
    expected = eagerly(eager, 14)
    gan = make(name, n_critic=2)
    graphs, engine = graphed(gan)
    found = run(gan, graphs, 14)
    if name in CLOCKED:
        assert CLOCKED[name] in graphs.why_not
        assert not engine.captured
    else:
        assert not graphs.why_not
        assert engine.replayed >= 14 - 2 * WARM_UP - 1
    assert found == expected
    for key, value in eager.state_dict().items():
        assert torch.equal(gan.state_dict()[key], value), key


def test_there_is_a_graph_for_each_kind_of_step() -> None:
    gan = make("wgan-gp", n_critic=3)
    graphs, engine = graphed(gan)
    run(gan, graphs, 20)
    assert engine.captured == 2  # steps with G, and steps without


def changed(change: Callable[[Iterator[Turn], Any], Iterator[Turn]]) -> GAN[Any]:
    gan = make("gan")
    plain = gan.play
    vars(gan)["play"] = lambda batch, clock: change(plain(batch, clock), clock)
    return gan


def test_a_game_that_reads_the_clock_stays_eager_and_says_so() -> None:
    def weigh(turns: Iterator[Turn], clock: Clock) -> Iterator[Turn]:
        for turn in turns:
            turn.terms = {name: term * clock.progress for name, term in turn.terms.items()}
            yield turn

    graphs, engine = graphed(gan := changed(weigh))
    run(gan, graphs, 8)
    assert "the losses depend on the clock" in graphs.why_not
    assert "progress" in graphs.why_not
    assert not engine.captured


def test_forgetting_an_optimisers_state_stays_eager() -> None:
    def forget(turns: Iterator[Turn], clock: Clock) -> Iterator[Turn]:
        for turn in turns:
            turn.fresh = clock.every(4)
            yield turn

    graphs, _ = graphed(gan := changed(forget))
    run(gan, graphs, 20)
    assert graphs.why_not == "an optimiser's state is reset during the step"


def test_a_capture_that_fails_leaves_training_as_it_was() -> None:
    eager, gan = make("gan"), make("gan")
    graphs, engine = graphed(gan)

    def fail(play: Callable[[], Log]) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nand so on")

    engine.capture = fail  # type: ignore[method-assign]
    assert run(gan, graphs, 8) == eagerly(eager, 8)
    assert graphs.why_not == "capture failed: operation not permitted when stream is capturing"


def test_rates_are_tensors_that_the_schedule_fills() -> None:
    gan = make("cyclegan")
    players = gan.players()
    graphs = Graphs(gan, players, nullcontext, StandIn(gan, players))
    held = [group["lr"] for player in players.values() for group in player.param_groups]
    run(gan, graphs, 16)
    assert [group["lr"] for player in players.values() for group in player.param_groups] == held
    assert all(isinstance(rate, Tensor) and rate < gan.hp.lr for rate in held)  # it falls in the second half


def test_settings_that_change_are_another_kind_of_step() -> None:
    gan = make("gan")
    vars(gan)["schedule"] = lambda clock: {"D": {"betas": (0.5 if clock.step < 8 else 0.0, 0.9)}}
    graphs, engine = graphed(gan)
    eager = make("gan")
    vars(eager)["schedule"] = vars(gan)["schedule"]
    assert run(gan, graphs, 16) == eagerly(eager, 16)
    assert engine.captured == 2
