"""A step that leaves the finite numbers is skipped: it moves nobody, and leaves no trace."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.engine.finite import Health
from gancli.engine.step import SKIPPED, play_step, slow_down
from gancli.gan import GAN, Clock, Turn
from gancli.system.seeds import seed_all
from tests.engine.spoiling import constant, planted, spoil
from tests.variants.small import feed, make


def state(gan: GAN[Any], players: Any) -> list[Tensor]:
    moved = [*gan.parameters(), *(v for p in players.values() for s in p.state.values() for v in s.values())]
    return copy.deepcopy([torch.as_tensor(t) for t in moved])


@pytest.mark.parametrize("plant", [spoil, constant])
@pytest.mark.parametrize("name", registry.names())
def test_a_step_that_is_not_finite_moves_nobody(name: str, plant: Callable[[Turn], None]) -> None:
    gan = make(name, n_critic=1)
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
