"""ProGAN's networks: how levels fade, what stays as it was, and other people's weights."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.progan import Discriminator, Generator, channels_of, enlarged, shrunk
from tests.parity import fixture

CHANNELS = [12, 8, 6]
SPECS = [DataSpec(3, 16, 16), DataSpec(1, 28, 20), DataSpec(4, 16, 24)]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_at_alpha_0_a_new_level_is_exactly_the_one_below(spec: DataSpec) -> None:
    G, D = Generator(5, CHANNELS, spec), Discriminator(CHANNELS, spec)
    z = torch.randn(4, 5)
    for level in (1, 2):
        G.grow(level, 0.0)
        D.grow(level, 0.0)
        image = G(z)
        x = torch.randn_like(image)
        of_x = D(x)
        G.grow(level - 1, 1.0)
        D.grow(level - 1, 1.0)
        assert torch.equal(image, enlarged(G(z)))
        assert torch.equal(of_x, D(shrunk(x)))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_fade_mixes_images_and_not_features(alpha: float) -> None:
    G = Generator(5, CHANNELS, SPECS[0])
    z = torch.randn(4, 5)

    def at(level: int, alpha: float) -> Tensor:
        G.grow(level, alpha)
        return G(z)

    expected = torch.lerp(enlarged(at(1, 1.0)), at(2, 1.0), alpha)
    torch.testing.assert_close(at(2, alpha), expected)
    assert at(2, alpha).shape == (4, 3, 16, 16)


def test_at_alpha_1_the_layers_of_the_level_below_have_no_say() -> None:
    G, D = Generator(5, CHANNELS, SPECS[0]), Discriminator(CHANNELS, SPECS[0])
    G.grow(2, 1.0)
    z, x = torch.randn(4, 5), torch.randn(4, 3, 16, 16)
    G(z).square().mean().backward()
    D(x).square().mean().backward()
    for layer in (G.to_rgb["1"], D.from_rgb["1"]):
        assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())
    for layer in (G.to_rgb["0"], D.from_rgb["0"]):
        assert all(p.grad is None for p in layer.parameters())
    before = G(z), D(x)
    with torch.no_grad():
        for layer in (G.to_rgb["1"], D.from_rgb["1"]):
            for weight in layer.parameters():
                weight.normal_()
    assert torch.equal(before[0], G(z))
    assert torch.equal(before[1], D(x))


def test_features_have_unit_mean_squares_in_every_pixel() -> None:
    G = Generator(5, CHANNELS, SPECS[0])
    G.grow(2, 1.0)
    seen: list[Tensor] = []
    for layer in G.to_rgb.values():
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    G(torch.randn(4, 5) * 9)
    assert len(seen) == 2
    for features in seen:
        torch.testing.assert_close(features.square().mean(1), torch.ones_like(features[:, 0]), rtol=1e-4, atol=1e-4)


def test_only_the_direction_of_a_latent_counts() -> None:
    G, z = Generator(5, CHANNELS, SPECS[0]), torch.randn(4, 5)
    torch.testing.assert_close(G(z), G(3 * z), rtol=1e-4, atol=1e-4)


def test_d_sees_no_deviation_in_a_batch_of_one_image() -> None:
    D = Discriminator(CHANNELS, SPECS[0])
    seen: list[Tensor] = []
    D.conv.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, -1]))
    D(torch.randn(1, 3, 16, 16).expand(4, -1, -1, -1))
    D(torch.randn(4, 3, 16, 16))
    assert seen[0].abs().max() <= 1e-4  # the root of the epsilon under it
    assert seen[1].min() > 0.01


def test_levels_below_the_first_have_no_images() -> None:
    G = Generator(5, CHANNELS, SPECS[0], first=1)
    assert [*G.to_rgb] == ["1", "2"]
    assert G(torch.randn(2, 5)).shape == (2, 3, 8, 8)


@pytest.mark.parametrize("level", [-(2**60), -1, 9, 2**60])
def test_a_level_from_a_file_is_kept_in_range(level: int) -> None:
    G = Generator(5, CHANNELS, SPECS[0], first=1)
    G.level.fill_(level)
    assert G.grown() == (1 if level < 0 else 2)


def test_channels_are_the_papers() -> None:
    """Table 2: 512 up to 32 pixels, and half as many with every doubling from there."""
    found = channels_of(DataSpec(3, 1024, 1024), 512, 16384)
    assert found == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert channels_of(DataSpec(3, 28, 56), 512, 448) == [64, 32, 16]


def test_sizes_are_the_papers() -> None:
    """Table 2 tells 23.1 million parameters for each; the layers to and from RGB of the coarser levels come on top."""
    spec = DataSpec(3, 1024, 1024)
    channels = channels_of(spec, 512, 16384)
    networks = Generator(512, channels, spec), Discriminator(channels, spec)
    counts = [sum(p.numel() for p in network.parameters()) / 1e6 for network in networks]
    assert counts == pytest.approx([23.1, 23.1], abs=0.05)


# -------------------------------------------------------------------------------------------- other people's weights


def of_ganzoo(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a PGAN of pytorch_GAN_zoo.

    Its factor sqrt(2 / fan in) also scales biases, and the weights of layers to RGB, whose gain is 1 here.
    """
    names = {"formatLayer": "input", "groupScale0.0": "blocks.0.0"}
    found = {}
    for name, tensor in state.items():
        layer, kind = name.replace(".module.", " ").split()
        if layer.startswith("scaleLayers"):
            _, level, index = layer.split(".")
            layer = f"blocks.{int(level) + 1}.{index}"
        rgb = layer.startswith("toRGB")
        mine = names.get(layer, layer.replace("toRGBLayers", "to_rgb"))
        scale = (2 / state[name.replace("bias", "weight")][0].numel()) ** 0.5
        found[f"{mine}.{kind}"] = tensor * (scale if kind == "bias" else 2**0.5 if rgb else 1)
    return found


@pytest.mark.parametrize("which", ["avgG", "netG"])
def test_weights_of_pytorch_gan_zoo_give_its_images(which: str) -> None:
    given = fixture("ganzoo-pgan-32.pth")
    G = Generator(32, [14, 14, 10, 8], DataSpec(3, 32, 32))
    G.load_state_dict(G.state_dict() | of_ganzoo(given.weights()[which]))
    G.grow(3, 1.0)
    wanted = given.tensor(f"out_{which}")
    with torch.no_grad():
        found = G(given.tensor("in_z")[: len(wanted)])
    assert given.gives(f"out_{which}", found)
    below = F.interpolate(shrunk(found), scale_factor=2)
    assert (below - wanted).abs().max() > 0.1  # the control: a level's worth of detail is not within the limit
