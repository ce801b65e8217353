"""Networks that grow: when, from what, and that a run can be resumed at any moment of it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.load import build_gan
from gancli.engine.step import play_step
from gancli.families.high_fidelity.growing import Stage, stage_at
from gancli.gan import GAN, Clock
from gancli.nets.high_fidelity.progan import Growing
from gancli.system.seeds import seed_all
from tests.variants.small import feed, make, steps

NAMES = ["progan", "stylegan"]
LENGTH = 20  # steps; of 4 to 16 pixels, levels change after 4 and 12 of them, and fades end at 8 and 16
START = Clock(0, 0, 8 * LENGTH)


def grown(name: str, **options: Any) -> Any:
    return make(name, **{"grow_share": 0.8, **options})


def stages(gan: Any, length: int = LENGTH) -> list[Stage]:
    return [gan.stage(Clock(step, 8 * step, 8 * length)) for step in range(length + 1)]


def changes(gan: Any) -> list[int]:
    """The steps in which a level is new."""
    found = stages(gan)
    return [step for step in range(1, LENGTH) if found[step].level > found[step - 1].level]


def networks(gan: Any) -> list[Growing]:
    return [module for module in gan.modules() if isinstance(module, Growing)]


def grow(gan: Any, level: int, alpha: float) -> None:
    for network in networks(gan):
        network.grow(level, alpha)


def reached(gan: Any) -> list[tuple[int, float]]:
    return [(network.grown(), float(network.alpha)) for network in networks(gan)]


def about(name: str, gan: GAN[Any], clock: Clock) -> checkpoint.About:
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    return checkpoint.About(name, hp, spec, dataclasses.asdict(clock), {}, {})


# ------------------------------------------------------------------------------------------------------ schedule


@given(images=st.integers(0, 10**7), phase=st.floats(1, 1e6), first=st.integers(0, 2), levels=st.integers(0, 8))
def test_levels_are_stable_and_fade_in_turns(images: int, phase: float, first: int, levels: int) -> None:
    top = first + levels
    found = stage_at(images, phase, first, top)
    phases = images / phase
    assert first <= found.level <= top
    assert 0 <= found.alpha <= 1
    assert stage_at(images + 1, phase, first, top) >= found
    if phases >= 2 * levels:
        assert found == (top, 1)
    elif int(phases) % 2 == 0:
        assert found == (first + int(phases) // 2, 1)
    else:
        assert found.level == first + int(phases + 1) // 2
        assert found.alpha == pytest.approx(phases % 1, abs=1e-6)


def test_all_levels_pass_within_the_run() -> None:
    gan = grown("progan")
    found = stages(gan)
    assert found[0] == (0, 1)
    assert [found.index(next(s for s in found if s.level == level)) for level in (0, 1, 2)] == [0, 4, 12]
    assert found[4].alpha == found[12].alpha == 0
    assert found[10] == (1, 1)
    assert found[14] == (2, 0.5)
    assert found[16] == found[-1] == (2, 1)


def test_phases_may_have_a_length_of_their_own() -> None:
    gan = grown("progan", phase_kimg=0.016)
    assert gan.stage(Clock(2, 16, 10**9)) == (1, 0)
    assert gan.stage(Clock(8, 64, 10**9)) == (2, 1)


@given(begin=st.integers(0, 2000), total=st.integers(1, 2000), phase=st.sampled_from([None, 0.1, 1.0]))
def test_paces_share_out_the_run_by_levels(begin: int, total: int, phase: float | None) -> None:
    gan: Any = PACED[phase]
    paces = gan.paces(begin, total)
    assert sum(pace.share for pace in paces) == pytest.approx(1)
    assert [gan.stage(Clock(0, pace.images, total)).level for pace in paces] == [0, 1, 2] or total < 20
    if begin < total:
        counted = [gan.stage(Clock(0, images, total)).level for images in range(begin, total)]
        shares = [counted.count(level) / len(counted) for level in (0, 1, 2)]
        assert [pace.share for pace in paces] == pytest.approx(shares, abs=2 / len(counted))


PACED = {phase: grown("progan", phase_kimg=phase) for phase in (None, 0.1, 1.0)}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_has_grown_trains_at_one_pace(name: str) -> None:
    """A run that starts from it is planned as what it is: full size from the first step."""
    fresh, model = grown(name), grown(name)
    for network in networks(model):
        network.grow(model.top, 1.0)
    assert [pace.share for pace in model.paces(0, 1000)] == [1.0]
    assert len(fresh.paces(0, 1000)) == fresh.top - fresh.start + 1 > 1
    for network in networks(fresh):  # weights that are loaded after it was planned
        network.grow(fresh.top, 1.0)
    assert fresh.stage(Clock(0, 0, 1000)).level == fresh.top


# --------------------------------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_critic", [1, 3])
def test_a_new_level_changes_no_weight_and_optimisers_begin_anew(name: str, n_critic: int) -> None:
    gan = grown(name, n_critic=n_critic)
    players, data, added = gan.players(), feed(gan), {"D": [], "G": []}
    n_critic = getattr(gan.hp, "n_critic", 1)
    for clock in (Clock(step, 8 * step, START.total) for step in range(LENGTH)):
        before = {n: p.clone() for n, p in gan.named_parameters()}
        game = gan.play(data.at(clock.images), clock)
        first = next(game)
        assert all(torch.equal(p, before[n]) for n, p in gan.named_parameters())
        for turn in (first, *game):
            if turn.fresh:
                added[turn.player].append(clock.step)
        seed_all("step", 0, clock.step)
        play_step(gan, players, [data.at(clock.images)], clock)
        for player, at in added.items():
            done = {int(state["step"]) for state in players[player].state.values()}
            turns = (clock.step - at[-1]) // (1 if player == "D" else n_critic) + 1 if at else clock.step + 1
            assert max(done, default=0) <= turns
    assert added["D"] == changes(gan) != []
    assert added["G"] == [-(-(step + 1) // n_critic) * n_critic - 1 for step in changes(gan)]  # in its next turn


@pytest.mark.parametrize("name", NAMES)
def test_real_images_shrink_and_fade_as_generated_ones_do(name: str) -> None:
    gan, seen = grown(name), list[Tensor]()
    gan.D.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    batch = feed(gan).at(0)

    def judged(step: int) -> Tensor:
        """The real images that D sees first; the fakes after them have their size."""
        seen.clear()
        next(gan.play(batch, Clock(step, 8 * step, START.total)))
        assert seen[0].shape == seen[1].shape
        return seen[0]

    assert judged(0).shape[-1] == 4 << gan.start
    for step in changes(gan):
        new, before = judged(step), judged(step - 1)
        assert new.shape[-1] == 2 * before.shape[-1]
        torch.testing.assert_close(new, F.interpolate(before, scale_factor=2))  # no detail of the new level
    rough = F.interpolate(F.avg_pool2d(batch.image, 2), scale_factor=2)
    fade = stages(gan)[14]
    assert 0.4 < fade.alpha < 0.8
    torch.testing.assert_close(judged(14), rough * (1 - fade.alpha) + batch.image * fade.alpha)
    assert torch.equal(judged(18), batch.image)


@pytest.mark.parametrize("name", NAMES)
def test_images_have_the_datas_size_at_every_level(name: str) -> None:
    gan = grown(name).eval()
    for level in range(gan.start, 3):
        grow(gan, level, 1.0)
        z = gan.prior(3)
        small = gan.G(z)
        assert torch.equal(gan.generate(z), F.interpolate(small, size=(16, 16)).clamp(-1, 1))
        torch.testing.assert_close(gan.rate(F.interpolate(small, size=(16, 16)), z), gan.D(small, z[:, gan.hp.z_dim :]))


# ----------------------------------------------------------------------------------------------- resuming, and EMA


@pytest.fixture(scope="module", params=NAMES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run with a checkpoint after every step."""
    folder, name = tmp_path_factory.mktemp("whole"), request.param
    gan = grown(name)
    players, ema, clock = gan.players(), EMA(gan), START
    for step in range(LENGTH + 1):
        checkpoint.save(folder / f"{step}.safetensors", about(name, gan, clock), gan, players, ema)
        clock = steps(gan, players, ema, 1, clock) if step < LENGTH else clock
    return name, folder


@pytest.mark.parametrize("step", [3, 4, 5, 11, 12, 13, 17])
def test_a_run_resumes_bit_for_bit_at_any_step(whole: tuple[str, Path], step: int) -> None:
    """Before a level is added, in its first steps, in the middle of a fade, and after."""
    name, folder = whole
    file = folder / f"{step}.safetensors"
    gan: Any = build_gan(checkpoint.describe(file))
    players, ema = gan.players(), EMA(gan)
    clock = checkpoint.restore(file, gan, players, ema)
    clock = steps(gan, players, ema, LENGTH - step, clock)
    checkpoint.save(folder / "resumed.safetensors", about(name, gan, clock), gan, players, ema)
    assert (folder / "resumed.safetensors").read_bytes() == (folder / f"{LENGTH}.safetensors").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_averaged_copy_grows_along(name: str) -> None:
    gan: Any = grown(name, ema_kimg=0)
    players, ema, clock, z = gan.players(), EMA(gan), START, gan.prior(4)
    for _ in range(LENGTH // 2):
        clock = steps(gan, players, ema, 2, clock)
        with torch.no_grad():
            averaged: Any = ema.gan
            assert torch.equal(averaged.generate(z), gan.eval().generate(z))
    assert reached(ema.gan) == [(2, 1.0)] * 2


def test_a_run_that_is_made_longer_does_not_shrink(whole: tuple[str, Path]) -> None:
    for step in (LENGTH, 14):
        file = whole[1] / f"{step}.safetensors"
        gan: Any = build_gan(checkpoint.describe(file))
        players, ema = gan.players(), EMA(gan)
        clock = checkpoint.restore(file, gan, players, ema)
        longer = dataclasses.replace(clock, total=10 * clock.total)
        before = reached(gan)
        turns = list(gan.play(feed(gan).at(0), longer))
        assert reached(gan) == before
        assert before[0] > (1, 1.0)
        assert not any(turn.fresh for turn in turns)
        end = dataclasses.replace(longer, step=9 * LENGTH, images=longer.total * 9 // 10)
        list(gan.play(feed(gan).at(0), end))
        assert reached(gan) == [(2, 1.0)] * 2
