"""StyleGAN's networks: what styles and noise do to features."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.progan import enlarged, shrunk
from gancli.nets.high_fidelity.stylegan import Generator, Styled, Upsampling, discriminator
from gancli.nets.layers.equalised import GAIN

CHANNELS = [12, 8, 6]
SPECS = [DataSpec(3, 16, 16), DataSpec(1, 28, 20), DataSpec(4, 16, 24)]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def generator(spec: DataSpec = SPECS[0], **options: Any) -> Generator:
    return Generator(5, 7, 2, CHANNELS, spec, **options)


def test_a_style_sets_means_and_deviations_exactly() -> None:
    layer = Styled(6, 7, (8, 8))
    layer.affine.weight.data.normal_(std=3)
    w = torch.randn(4, 7)
    found = layer(torch.randn(4, 6, 8, 8) * 5 + 2, w)
    scale, shift = layer.affine(w).chunk(2, 1)
    torch.testing.assert_close(found.mean((2, 3)), shift, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.std((2, 3), correction=0), scale.abs(), rtol=1e-3, atol=1e-3)


def test_styles_begin_near_a_scale_of_1_and_a_shift_of_0() -> None:
    scale, shift = Styled(6, 7, (8, 8)).affine(torch.zeros(1, 7)).chunk(2, 1)
    assert torch.equal(scale, torch.ones(1, 6))
    assert torch.equal(shift, torch.zeros(1, 6))


def test_noise_has_no_say_at_the_start_and_one_map_for_all_channels_later() -> None:
    G = generator().train()
    w = torch.randn(3, 6, 7)
    assert torch.equal(G.synthesis(w), G.synthesis(w))
    layer = Styled(6, 7, (8, 8)).train()
    layer.noise_strength.data = torch.arange(6.0)
    layer.norm = nn.Identity()  # type: ignore[assignment]
    layer.affine.weight.data.zero_()
    found = layer(torch.full((2, 6, 8, 8), 100.0), w[:2, 0]) - 100  # far from where LeakyReLU bends
    torch.testing.assert_close(found, found[:, 1:2] * torch.arange(6.0)[:, None, None], rtol=1e-3, atol=1e-3)
    assert not torch.equal(found[0], found[1])
    assert found[:, 1].std().item() == pytest.approx(1, abs=0.2)


def test_in_evaluation_a_latent_gives_one_image_in_any_batch() -> None:
    G = generator().eval()
    for module in G.modules():
        if isinstance(module, Styled):
            module.noise_strength.data.normal_()
    z = torch.randn(4, 5)
    torch.testing.assert_close(G(z)[2:3], G(z[2:3]))
    assert not torch.allclose(G.train()(z), G(z))


def test_styles_act_on_their_own_layers() -> None:
    """Capture: layers before the k-th are the same whatever the styles from there on."""
    G = generator()
    G.synthesis.grow(2, 1.0)
    seen: list[Tensor] = []
    layers = [module for module in G.modules() if isinstance(module, Styled)]
    for layer in layers:
        layer.register_forward_hook(lambda _, __, out: seen.append(out) or None)
    one, two = torch.randn(2, 1, G.style_layers, 7)
    assert len(layers) == G.style_layers == 6
    G.synthesis(one)
    G.synthesis(two)
    plain, other = seen[:6], seen[6:12]
    assert not torch.allclose(plain[0], other[0])
    for k in range(1, 6):
        seen.clear()
        G.synthesis(torch.cat([one[:, :k], two[:, k:]], 1))
        assert all(torch.equal(seen[i], plain[i]) for i in range(k))
        assert not torch.allclose(seen[k], plain[k])


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_at_alpha_0_a_new_level_is_exactly_the_one_below(spec: DataSpec) -> None:
    G, D = generator(spec, first=1), discriminator(CHANNELS, spec, first=1)
    w, x = torch.randn(4, 6, 7), torch.randn(4, spec.channels, spec.height, spec.width)
    before = G.synthesis(w[:, :4]), D(shrunk(x))
    G.synthesis.grow(2, 0.0)
    D.grow(2, 0.0)
    assert torch.equal(G.synthesis(w), enlarged(before[0]))
    assert torch.equal(D(x), before[1])


def test_the_filter_leaves_no_grid() -> None:
    """Nearest neighbours and a centred tap give blocks of two pixels; [1, 2, 1] goes evenly from one to the next."""
    layer = Upsampling(1, 1)
    layer.weight.data = torch.zeros(1, 1, 3, 3)
    layer.weight.data[0, 0, 1, 1] = 3 / GAIN
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    inside = layer(ramp)[0, 0, 4:-4, 4:-4]
    torch.testing.assert_close(inside.diff(dim=1), torch.full_like(inside.diff(dim=1), 0.5))


@pytest.mark.parametrize("classes", [0, 3])
def test_a_label_chooses_ds_output(classes: int) -> None:
    spec = DataSpec(3, 16, 16, classes=tuple("abc"[:classes]))
    D = discriminator(CHANNELS, spec)
    x, label = torch.randn(4, 3, 16, 16), torch.eye(3)[[0, 1, 2, 0], :classes]
    assert D(x, label).shape == (4,)
    if classes:
        assert torch.equal(D(x, label), D(x)[torch.arange(4), [0, 1, 2, 0]])
