"""What holds for every variant. A new one is tested because it exists."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA, pruned
from gancli.checkpoints.find import Model
from gancli.checkpoints.load import build_gan, load_model
from gancli.data.spec import DataSpec
from gancli.engine.step import check_game, parameters, play_step
from gancli.gan import GAN, Clock
from gancli.system.seeds import seed_all
from tests.conftest import Cli
from tests.variants.small import SPEC, feed, make, steps

NAMES = registry.names()
SPECS = [DataSpec(1, 16, 16), DataSpec(3, 28, 28), DataSpec(4, 16, 24), DataSpec(3, 64, 32)]

pytestmark = pytest.mark.parametrize("name", NAMES)


def about(name: str, gan: GAN, clock: Clock) -> checkpoint.About:
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    return checkpoint.About(name, hp, spec, dataclasses.asdict(clock), {}, {})


def state(gan: GAN) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in gan.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_each_turn_moves_its_player_and_no_other(name: str) -> None:
    gan = make(name, n_critic=1)
    players, batch = gan.players(), feed(gan).at(0)
    check_game(gan, players)
    moved: set[str] = set()
    names = {p: n for n, p in gan.named_parameters()}
    for turn in (turn for step in range(8) for turn in gan.play(batch, Clock(step, step * 125, 1000))):
        before = {n: p.detach().clone() for n, p in gan.named_parameters()}
        player = players[turn.player]
        player.zero_grad()
        loss = torch.stack(list(turn.terms.values())).sum()
        assert torch.isfinite(loss)
        loss.backward(inputs=parameters(player))
        player.step()
        now = {n for n, p in gan.named_parameters() if not torch.equal(p, before[n])}
        assert now <= {names[p] for p in parameters(player)}
        assert now
        moved |= now
        if moved == set(names.values()):  # some networks move all their layers only in the course of a run
            break
    still = {n for n, p in gan.named_parameters() if p.requires_grad} - moved
    assert all(name.endswith("head.bias") for name in still)  # a loss that only compares logits does not see it


def test_g_moves_after_n_critic_turns_of_d(name: str) -> None:
    """Algorithm 1 of the Wasserstein GAN: the critic comes first, all of its turns."""
    gan = make(name, n_critic=3)
    if not hasattr(gan.hp, "n_critic"):
        pytest.skip("all of its players move in every step")
    order = [turn.player for step in range(6) for turn in gan.play(feed(gan).at(0), Clock(step, 0, 1000))]
    assert order == ["D", "D", "D", "G"] * 2


def test_the_least_batch_trains_and_a_smaller_one_is_refused_before_data_are_read(name: str, cli: Cli) -> None:
    gan = make(name, n_critic=1, batch=registry.load(name).least_batch)
    log = play_step(gan, gan.players(), [feed(gan).at(0)], Clock(0, 0, 1000))
    assert all(torch.isfinite(value) for value in log.values())
    if gan.least_batch > 1:
        for options in (("--batch", 1), ("--batch", 4, "--accumulate", 4)):
            result = cli("train", name, "--data", "no/such/folder", *options)
            assert result.code == 2
            assert len(result.err.splitlines()) == 1
            assert f"give at least {2 * int(options[-1])}" in result.err


def test_resume_is_bit_exact(name: str, tmp_path: Path) -> None:
    whole = make(name)
    players, ema = whole.players(), EMA(whole)
    end = steps(whole, players, ema, 9)

    first = make(name)
    its_players, its_ema = first.players(), EMA(first)
    clock = steps(first, its_players, its_ema, 4)
    file = tmp_path / "c.safetensors"
    checkpoint.save(file, about(name, first, clock), first, its_players, its_ema)

    resumed = build_gan(checkpoint.describe(file))
    resumed_players, resumed_ema = resumed.players(), EMA(resumed)
    clock = checkpoint.restore(file, resumed, resumed_players, resumed_ema)
    assert steps(resumed, resumed_players, resumed_ema, 5, clock) == end
    assert same(whole.state_dict(), resumed.state_dict())
    assert same(ema.gan.state_dict(), resumed_ema.gan.state_dict())


def test_without_averaging_the_served_copy_draws_what_the_gan_draws(name: str, tmp_path: Path) -> None:
    gan = make(name, ema_kimg=0)
    players, ema = gan.players(), EMA(gan)
    clock = steps(gan, players, ema, 3)
    file = tmp_path / "c.safetensors"
    checkpoint.save(file, about(name, gan, clock), gan, players, ema)
    checkpoint.strip(file)
    served = load_model(Model(file, checkpoint.describe(file), ""))
    batch = feed(gan).at(0)
    seed_all("draw")
    with torch.no_grad():  # as the served copy draws: what learns is computed by other kernels
        expected = gan.eval().fakes(batch)
    seed_all("draw")
    assert torch.equal(served.fakes(batch), expected)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_shapes_follow_the_data(name: str, spec: DataSpec) -> None:
    gan = make(name, spec)
    batch = feed(gan).at(0)
    fakes = gan.fakes(batch)
    assert fakes.shape == (len(batch), spec.channels, spec.height, spec.width)
    assert fakes.dtype == torch.float32
    assert fakes.abs().max() <= 1
    for value in play_step(gan, gan.players(), [batch], Clock(0, 0, 1000)).values():
        assert value.dim() == 0
        assert torch.isfinite(value)


def test_steps_read_no_value_back(name: str) -> None:
    """A turn on meta tensors raises at `.item()` and the like, which would make a GPU wait."""
    gan = make(name, n_critic=1).to("meta")
    batch = feed(make(name)).at(0).map(lambda t: t.to("meta"))
    for turn in gan.play(batch, Clock(0, 0, 1000)):
        torch.stack(list(turn.terms.values())).sum()


def test_bf16_steps_are_finite_and_images_stay_float32(name: str) -> None:
    gan = make(name, n_critic=1)
    log = play_step(
        gan, gan.players(), [feed(gan).at(0)], Clock(0, 0, 1000), lambda: torch.autocast("cpu", torch.bfloat16)
    )
    assert all(torch.isfinite(value) for value in log.values())


def test_hyperparameters_read_without_torch_are_those_of_the_class(name: str) -> None:
    light, real = registry.hyperparameters(name), registry.load(name).hparams
    assert dataclasses.asdict(light()) == dataclasses.asdict(real())
    assert [f.name for f in dataclasses.fields(light)] == [f.name for f in dataclasses.fields(real)]


@pytest.mark.parametrize("spec", [DataSpec(1, 8, 8), DataSpec(3, 32, 32), DataSpec(2, 1, 1)], ids=str)
def test_what_suits_some_data_are_hyperparameters(name: str, spec: DataSpec) -> None:
    kind = registry.load(name)
    assert kind.hparams(**kind.preset(spec))


def test_pruning_leaves_what_is_served(name: str) -> None:
    gan = pruned(make(name, SPEC))
    assert {child for child, _ in gan.named_children()} == {*gan.served, *gan.judges}
