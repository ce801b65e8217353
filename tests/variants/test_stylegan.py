"""What the papers say about the games of ProGAN and StyleGAN, beside growing."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from gancli.capabilities import Styled
from gancli.data.spec import DataSpec
from gancli.gan import Clock
from gancli.system.seeds import seed_all
from tests.variants.small import feed, make

SPEC = DataSpec(3, 16, 16)


class Linear(nn.Module):
    """Logits 3 a + 4 b of the first two pixels: its slope has length 5 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        del label
        return x.flatten(1)[:, :2] @ self.weight


def first_turn(gan: Any) -> dict[str, float]:
    gan.D = Linear()
    turn = next(iter(gan.play(feed(gan).at(0), Clock(0, 0, 1000))))
    return {name: term.item() for name, term in turn.terms.items()}


def test_the_penalties_of_a_linear_critic() -> None:
    """(|(3, 4)| - 1)^2 at lambda 10, and |(3, 4)|^2 / 2 at gamma 10; the drift is a square of logits of reals."""
    gan: Any = make("progan", grow=False)
    terms = first_turn(gan)
    assert terms["gradient_penalty"] == pytest.approx(10 * 16, rel=1e-4)
    logits = gan.D(feed(gan).at(0).image)
    assert terms["drift"] == pytest.approx(0.001 * logits.square().mean().item(), rel=1e-4)
    assert first_turn(make("stylegan", grow=False))["r1"] == pytest.approx(125, rel=1e-4)


def test_logits_have_no_say_in_reals_that_d_ignores() -> None:
    """The critic's gap alone does not fix the level of its logits; the drift does."""
    terms = first_turn(make("progan", grow=False, drift=0.0))
    assert terms["drift"] == 0


@pytest.mark.parametrize("labels", [True, False])
def test_psi_moves_styles_from_their_mean_to_their_own(labels: bool) -> None:
    gan: Any = make("stylegan", labels=labels, grow=False)
    with torch.no_grad():
        for _ in range(3):
            gan.follow_styles()
    gan.eval()
    assert isinstance(cast(object, gan), Styled)
    z = gan.prior(6)
    w, mean = gan.styles(z), gan.mean_styles(z)
    assert w.shape == mean.shape == (6, 6, gan.hp.w_dim)
    torch.testing.assert_close(gan.synthesise(torch.lerp(mean, w, 1.0)), gan.generate(z))
    collapsed, classes = gan.synthesise(torch.lerp(mean, w, 0.0)), gan.label_of(z)
    for i in range(6):
        for j in range(6):
            if classes[i] == classes[j]:
                torch.testing.assert_close(collapsed[i], collapsed[j])
    assert not torch.allclose(gan.generate(z)[0], gan.generate(z)[1])


def test_the_mean_of_w_keeps_995_thousandths_per_turn_of_g() -> None:
    gan: Any = make("stylegan", labels=False)
    seed_all("x")
    gan.moved("D", {})
    assert not gan.G.mapping.w_avg.any()
    seed_all("x")
    gan.moved("G", {})
    seed_all("x")
    w = gan.G.mapping(gan.prior(gan.hp.batch)).mean(0)
    torch.testing.assert_close(gan.G.mapping.w_avg, 0.005 * w, rtol=1e-3, atol=1e-6)


def test_styles_are_mixed_within_the_layers_of_the_level() -> None:
    gan: Any = make("stylegan", labels=False, mixing=1.0)
    seen: list[Tensor] = []
    gan.G.synthesis.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for images, level in ((0, 1), (900, 2)):
        seen.clear()
        list(gan.play(feed(gan).at(0), Clock(0, images, 1000)))
        assert len(seen) == 2
        for w in seen:
            assert w.shape[1] == 2 * (level + 1)
            assert (w[:, 0] != w[:, -1]).any(1).all()  # every image has two styles


def test_mapping_layers_learn_a_hundred_times_more_slowly() -> None:
    gan: Any = make("stylegan", labels=False, grow=False)
    layer = gan.G.mapping.fc0
    assert layer.lr_multiplier == 0.01
    torch.testing.assert_close(layer.weight.std() * layer.lr_multiplier, torch.tensor(1.0), rtol=0.3, atol=0)


def test_rates_are_higher_at_higher_resolutions() -> None:
    """The authors' code: 0.001, and 0.0015, 0.002 and 0.003 from 128, 256 and 512 pixels on."""
    gan: Any = make("stylegan", DataSpec(1, 512, 512), channel_base=4, phase_kimg=1.0)
    rates = [gan.schedule(Clock(0, images, 10**9))["G"]["lr"] for images in range(500, 14_000, 2000)]
    assert rates == pytest.approx([0.001, 0.001, 0.001, 0.001, 0.0015, 0.002, 0.003])
    whole: Any = make("stylegan", DataSpec(1, 256, 256), channel_base=4, grow=False)
    assert whole.schedule(Clock(0, 0, 1))["D"]["lr"] == pytest.approx(0.002)
