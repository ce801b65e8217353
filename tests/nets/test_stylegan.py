"""StyleGAN's networks: what styles and noise do to features, and other people's weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.progan import enlarged, shrunk
from gancli.nets.high_fidelity.stylegan import Generator, Styled, Upsampling, discriminator
from gancli.nets.layers.equalised import GAIN
from tests.parity import Fixture, fixture

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


# -------------------------------------------------------------------------------------------- other people's weights


def of_rosinality(state: dict[str, Any], levels: int) -> dict[str, Tensor]:
    """Rename the weights of rosinality's StyleGAN.

    Every layer there has the gain sqrt(2): those to RGB, of styles and of noise have none here. The mapping network
    here keeps its parameters divided by its learning rate, and gives their sum the gain. From 128 pixels on there are
    transposed convolutions, of a kernel averaged over four places where repeating pixels sums it.
    """
    root, found = 2**0.5, dict[str, Tensor]()
    for i in range(8):
        found[f"mapping.fc{i}.weight"] = state[f"style.{2 * i + 1}.linear.weight_orig"] * 100
        found[f"mapping.fc{i}.bias"] = state[f"style.{2 * i + 1}.linear.bias"] * 100 / root
    for level in range(levels):
        theirs, mine = f"generator.progression.{level}", f"synthesis.blocks.{level}"
        part = {name.removeprefix(f"{theirs}."): tensor for name, tensor in state.items() if name.startswith(theirs)}
        if level == 0:
            found[f"{mine}.const"] = part["conv1.input"]
        elif "conv1.0.weight" in part:
            found[f"{mine}.conv1.weight"] = part["conv1.0.weight"].transpose(0, 1).flip(2, 3) / 4
            found[f"{mine}.conv1.bias"] = part["conv1.0.bias"]
        else:
            found[f"{mine}.conv1.weight"] = part["conv1.1.conv.weight_orig"]
            found[f"{mine}.conv1.bias"] = part["conv1.1.conv.bias"]
        found[f"{mine}.conv2.weight"] = part["conv2.conv.weight_orig"]
        found[f"{mine}.style2.bias"] = part["conv2.conv.bias"]
        for i in (1, 2):
            strength = part[f"noise{i}.weight_orig"].flatten()
            found[f"{mine}.style{i}.noise_strength"] = strength * (2 / len(strength)) ** 0.5
            found[f"{mine}.style{i}.affine.weight"] = part[f"adain{i}.style.linear.weight_orig"] * root
            found[f"{mine}.style{i}.affine.bias"] = part[f"adain{i}.style.linear.bias"]
        found[f"synthesis.to_rgb.{level}.weight"] = state[f"generator.to_rgb.{level}.conv.weight_orig"] * root
        found[f"synthesis.to_rgb.{level}.bias"] = state[f"generator.to_rgb.{level}.conv.bias"]
    return found


def loaded(level: int, channels: list[int], given: Fixture, noise: bool) -> Generator:
    """A generator with those weights, up to a level, and with the noise that the images were made with."""
    side = 4 << level
    G = Generator(24, 24, 8, channels, DataSpec(3, side, side)).eval()
    mine = of_rosinality(given.weights()["g_running"], level + 1)
    for at in range(level + 1):
        image = given.tensor(f"in_noise_{at}")[0, 0] * noise
        mine |= {f"synthesis.blocks.{at}.style{i}.noise_const": image for i in (1, 2)}  # one for both layers
    G.load_state_dict(G.state_dict() | mine)
    G.synthesis.grow(level, 1.0)
    return G


@pytest.mark.parametrize(
    ("which", "level", "channels"),
    [
        ("step2_psi1_noise", 2, [9, 9, 9]),
        ("step2_psi1_none", 2, [9, 9, 9]),
        ("step2_psi0.7_noise", 2, [9, 9, 9]),
        ("step5_psi0.7_noise", 5, [9, 9, 9, 9, 8, 7]),
    ],
)
def test_weights_of_rosinality_give_its_images(which: str, level: int, channels: list[int]) -> None:
    given = fixture("rosinality-sg1.model")
    G = loaded(level, channels, given, noise=which.endswith("noise"))
    with torch.no_grad():
        w = G.mapping(given.tensor("in_z"))
        assert given.gives("out_w", w)
        w = torch.lerp(given.tensor("in_mean_style"), w, 0.7 if "0.7" in which else 1.0)
        w = w[: len(given.arrays[f"out_{which}"])]
        assert given.gives(f"out_{which}", G.synthesis(w[:, None].expand(-1, G.style_layers, -1)))
