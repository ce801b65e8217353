"""Compiled terms give the gradients that they give uncompiled, and where they would not, nothing is compiled."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.engine.compile import SETTLED, WINDOW, CompileWhenLong, compile_terms, uncompile
from gancli.engine.step import play_step
from gancli.gan import GAN, Clock
from gancli.system.seeds import seed_all
from tests.variants.small import feed, make

BACKEND = "aot_eager"  # traces and differentiates as the default does, and needs no C++ compiler


def play(gan: GAN[Any], players: Any, steps: int = 3, parts: int = 1) -> dict[str, Tensor]:
    data = feed(gan)
    for step in range(steps):
        seed_all("step", 0, step)
        play_step(gan, players, data.at(step * data.batch).split(parts), Clock(step, step * data.batch, 1000))
    return gan.state_dict()


@pytest.mark.filterwarnings("ignore")  # torch 2.9's compiler warns of what it does itself: as errors they would end it
@pytest.mark.parametrize(("name", "parts"), [("wgan-gp", 1), ("dcgan", 1), ("wgan-gp", 2)])
def test_compiled_terms_train_the_same(name: str, parts: int) -> None:
    gan = make(name, n_critic=1)
    other = copy.deepcopy(gan)
    players, notes = gan.players(), []
    made = compile_terms(gan, players, notes.append, BACKEND)
    assert set(made) == {"d_terms", "g_terms"}
    found, expected = play(gan, players, parts=parts), play(other, other.players(), parts=parts)
    assert not notes
    assert not any(terms.why_not for terms in made.values())
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-4, atol=1e-5, msg=key)


def test_the_compiled_terms_of_g_compute_no_gradient_of_d() -> None:
    gan = make("wgan-gp", n_critic=1)
    players = gan.players()
    made = compile_terms(gan, players, lambda _: None, BACKEND)
    fake = torch.rand(8, 3, 16, 16, requires_grad=True)
    loss = made["g_terms"](fake)["adversarial"]
    assert loss.requires_grad
    assert torch.autograd.grad(loss, list(gan.D.parameters()), allow_unused=True)[0] is None  # type: ignore[union-attr]
    assert all(p.requires_grad for p in gan.parameters())


def test_what_cannot_be_compiled_stays_and_says_why() -> None:
    gan = make("dragan")
    other = copy.deepcopy(gan)
    players, notes = gan.players(), []
    made = compile_terms(gan, players, notes.append, BACKEND)

    def fail(*_: Tensor) -> dict[str, Tensor]:
        raise RuntimeError("no working C++ compiler\nand so on")

    for terms in made.values():
        terms._compiled = fail  # type: ignore[assignment]
    found, expected = play(gan, players), play(other, other.players())
    why = "is not compiled: RuntimeError: no working C++ compiler"
    assert notes == [f"d_terms {why}", f"g_terms {why}"]
    for key in expected:  # the check moved neither weights, nor statistics, nor noise
        assert torch.equal(found[key], expected[key]), key


def test_gradients_that_differ_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = make("wgan-gp", n_critic=1)
    other = copy.deepcopy(gan)
    players, notes = gan.players(), []
    made = compile_terms(gan, players, notes.append, BACKEND)
    wrong = made["d_terms"]._plain
    made["d_terms"]._compiled = lambda *given: {k: 1.001 * v for k, v in wrong(*given).items()}  # type: ignore[assignment]
    made["g_terms"]._compiled = made["g_terms"]._plain  # type: ignore[assignment]
    found, expected = play(gan, players), play(other, other.players())
    assert notes == [f"d_terms is not compiled: {made['d_terms'].why_not}"]
    assert made["d_terms"].why_not == "its gradients are off by 1.0e-03, and those of the uncompiled ones by 0.0e+00"
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize(("factor", "compiled"), [(1.0, True), (1.25, False)])
def test_in_bf16_compiled_terms_may_round_elsewhere_but_not_be_further_off(factor: float, compiled: bool) -> None:
    """Fused operations keep intermediate results in float32: no gradient is the same, and none is less exact."""
    gan = make("dcgan")
    terms = compile_terms(gan, gan.players(), lambda _: None, BACKEND)["d_terms"]
    plain = terms._plain

    def fused(*given: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", enabled=False):
            return {name: factor * value for name, value in plain(*given).items()}

    terms._compiled = fused  # type: ignore[assignment]
    seed_all("images")
    real, fake = torch.randn(2, 8, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        difference = terms._gradients(plain, (real, fake)) - terms._gradients(fused, (real, fake))
        terms(real, fake)
    assert difference.norm() > 0
    assert (terms.why_not is None) == compiled


@pytest.mark.parametrize(
    ("total", "compiled", "begun", "undone"),
    [(10**15, 0.5, 1, 0), (10**15, 2.0, 1, 1), (1000, 0.5, 0, 0)],
    ids=["long", "long and slower compiled", "short"],
)
def test_auto_compiles_a_long_run_and_keeps_what_is_faster(
    total: int, compiled: float, begun: int, undone: int
) -> None:
    pace, time, events, notes = 1.0, 0.0, [], []

    def begin() -> Any:
        nonlocal pace
        events.append("begin")
        pace = compiled

        def undo() -> None:
            nonlocal pace
            events.append("undo")
            pace = 1.0

        return undo

    def step(*_: Any) -> dict[str, Tensor]:
        nonlocal time
        time += pace
        return {}

    play = CompileWhenLong(step, begin, lambda: time, notes.append)
    for i in range(4 * (SETTLED + WINDOW)):
        play([], Clock(i, 8 * i, total))
    assert events == ["begin"] * begun + ["undo"] * undone
    assert notes == ["not compiled: 1 s per step, compiled 2 s"] * undone
    assert pace == (compiled if begun and not undone else 1.0)


def test_what_was_compiled_can_be_given_back() -> None:
    gan = make("dcgan")
    made = compile_terms(gan, gan.players(), lambda _: None, BACKEND)
    assert gan.d_terms is made["d_terms"]  # pyright: ignore[reportAttributeAccessIssue]
    uncompile(gan, made)
    assert gan.d_terms.__func__ is type(gan).d_terms  # pyright: ignore[reportAttributeAccessIssue]
