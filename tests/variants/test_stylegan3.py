"""StyleGAN3's game: what differs from StyleGAN2's."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.registry import load
from tests.variants.small import feed, make


def test_psi_moves_images_from_that_of_the_mean_style_to_their_own() -> None:
    gan: Any = make("stylegan3", labels=False).eval()
    with torch.no_grad():
        gan.G.mapping.w_avg.normal_()
        z = gan.prior(4)
        own, mean = gan.styles(z), gan.mean_styles(z)
        none, half, whole = (gan.synthesise(torch.lerp(mean, own, psi)) for psi in (0.0, 0.5, 1.0))
    assert own.shape == (4, gan.style_layers, 5)
    for one in none:
        torch.testing.assert_close(one, none[0])
    torch.testing.assert_close(whole, gan.generate(z))
    assert not torch.equal(half, whole)


@pytest.mark.parametrize(("side", "r1", "base"), [(256, 2.0, 16384), (512, 8.0, 32768), (1024, 32.0, 32768)])
def test_the_authors_settings(side: int, r1: float, base: int) -> None:
    kind: Any = load("stylegan3")
    found = kind.paper(DataSpec(3, side, side), 32)
    assert found == {"r1": r1, "ema_kimg": 10.0, "blur_kimg": 200.0, "channel_base": base, "augment": "ada"}
    assert kind.paper(DataSpec(3, side, side), 16)["r1"] == 2 * r1
    hp = kind.hparams()
    assert (hp.g_lr, hp.lr, hp.mapping, hp.mixing, hp.g_layers) == (0.0025, 0.002, 2, 0.0, 14)


def test_d_is_slowed_down_by_its_lazy_turns_and_g_has_none() -> None:
    players = make("stylegan3", r1_every=16).players()
    assert players["D"].param_groups[0]["lr"] == pytest.approx(0.002 * 16 / 17)
    assert players["G"].param_groups[0]["lr"] == 0.0025


def test_config_r_has_twice_the_channels_and_no_neighbours_in_its_convolutions() -> None:
    t, r = (
        make("stylegan3", kind=kind).get_submodule("G.synthesis.L0_36_" + n) for kind, n in (("t", "4"), ("r", "8"))
    )
    assert t.get_parameter("weight").shape == (4, 4, 3, 3)
    assert r.get_parameter("weight").shape == (8, 8, 1, 1)
    assert t.get_buffer("down_filter").dim() == 1
    assert r.get_buffer("down_filter").dim() == 2


@pytest.mark.parametrize("kind", ["t", "r"])
def test_all_that_d_sees_is_blurred_at_the_start_of_config_r(kind: str) -> None:
    gan: Any = make("stylegan3", kind=kind, blur=4.0, blur_kimg=0.1, r1_every=1)
    rough: list[float] = []

    def measure(_: object, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach()
        rough.append(float((x[..., 1:] - x[..., :-1]).std() / x.std()))

    with torch.no_grad():  # fakes of noise, like the data
        gan.G.synthesis = Noise()
    gan.D.register_forward_pre_hook(measure)

    def seen(images: int) -> list[float]:
        rough.clear()
        for _ in gan.play(feed(gan).at(0), Clock(0, images, 1000)):
            pass
        return [*rough]

    early, late = seen(0), seen(100)
    assert len(early) == len(late) == 4  # real, fake, real for R1, fake for G
    assert min(late) > 1
    assert max(early) < 0.5 if kind == "r" else min(early) > 1


class Noise(torch.nn.Module):
    """A synthesis network that ignores its styles."""

    names = ("L0", "L1")

    def forward(self, w: Tensor) -> Tensor:
        return torch.randn(len(w), 3, 16, 16)


def test_magnitudes_are_those_of_the_fakes_for_d_and_nothing_is_left_over() -> None:
    gan: Any = make("stylegan3", r1_every=1)
    seen = []
    for layer in gan.G.synthesis.layers():
        layer.register_forward_pre_hook(lambda _, inputs: seen.append((torch.is_grad_enabled(), inputs[0].detach())))
    gan.train()
    play_step(gan, gan.players(), [feed(gan).at(0)], Clock(0, 0, 1000))
    expected = torch.stack([x.square().mean() for learns, x in seen if not learns])
    layers = list(gan.G.synthesis.layers())
    assert len(expected) == len(layers)
    kept = 0.5 ** (8 / 20_000)
    found = torch.stack([layer.magnitude_ema for layer in layers])
    torch.testing.assert_close(found, kept + (1 - kept) * expected)
    assert not any(layer.seen.any() for layer in layers)
