"""StyleGAN3's generator: the authors' images from their tensors, and what it was made for.

Tensors are copied by name.
"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets.high_fidelity.stylegan3 import Generator, Layer, Shape, bands, blurred
from gancli.nets.layers.equalised import GAIN
from tests.nets.test_stylegan2_parity import nvlabs, truncated
from tests.parity import fixture

SPEC = DataSpec(3, 32, 32)
AUTHORS = {  # what a file tells by its tensors' sizes and names
    "sg3t-32.pkl": Shape(z_dim=36, w_dim=36, base=256, most=10),
    "sg3r-32.pkl": Shape(z_dim=36, w_dim=36, base=512, most=20, kernel=1, radial=True),
}
KINDS = {
    "t": Shape(z_dim=8, w_dim=12, layers=6, base=128, most=8),
    "r": Shape(z_dim=8, w_dim=12, layers=6, base=128, most=8, kernel=1, radial=True),
}


@pytest.mark.parametrize("file", AUTHORS)
def test_the_authors_tensors_give_the_authors_images(file: str) -> None:
    given, state = fixture(file), nvlabs(file)
    z = given.tensor("in_z")
    G: Any = Generator(AUTHORS[file], SPEC).eval().requires_grad_(False)
    for key, filters in G.state_dict().items():
        if key.endswith("_filter"):
            torch.testing.assert_close(filters, state[key], rtol=0, atol=1e-7)  # before they are copied
    G.load_state_dict(state, strict=True)
    assert given.gives("out_w", G.mapping(z))
    for key, ways in {"out_psi1": (1.0, None), "out_psi0.7": (0.7, None), "out_psi0.5_cutoff3": (0.5, 3)}.items():
        assert given.gives(key, G.synthesis(truncated(G, z, *ways)))


@pytest.mark.parametrize(
    ("shape", "side", "names", "numbers"),
    [  # of the published files: the first and last layers, and some between
        (Shape(base=16384), 256, {0: "L0_36_512", 7: "L7_148_362", 10: "L10_276_128", 14: "L14_256_3"}, 23_320_443),
        (Shape(), 512, {7: "L7_148_483", 9: "L9_276_215", 12: "L12_532_64", 14: "L14_512_3"}, 24_873_519),
        (Shape(), 1024, {7: "L7_276_323", 9: "L9_532_128", 12: "L12_1044_32", 14: "L14_1024_3"}, 22_313_167),
        (
            Shape(base=65536, most=1024, kernel=1, radial=True),
            1024,
            {0: "L0_36_1024", 9: "L9_532_256", 14: "L14_1024_3"},
            15_093_151,
        ),
    ],
)
def test_published_networks_have_these_layers(shape: Shape, side: int, names: dict[int, str], numbers: int) -> None:
    with torch.device("meta"):
        G = Generator(shape, DataSpec(3, side, side))
    assert {i: G.synthesis.names[i] for i in names} == names
    assert sum(p.numel() for p in G.parameters()) == numbers
    assert G.style_layers == 16


def made(kind: str, spec: DataSpec = SPEC) -> Generator:
    """Return a generator with biases and features of unit size, so that every layer bends what it gets."""
    torch.manual_seed(0)
    G = Generator(KINDS[kind], spec).requires_grad_(False)
    for layer in G.synthesis.layers():
        layer.bias.normal_()
    with torch.no_grad():
        G.train()(torch.randn(8, 8))
        for _ in range(8):
            G(torch.randn(2, 8))
            G.synthesis.follow_magnitudes(100_000)
    return G.eval()


def moved(G: Generator, z: Tensor, matrix: list[list[float]]) -> Tensor:
    before = G.synthesis.input.transform.clone()
    G.synthesis.input.transform.copy_(torch.tensor(matrix))
    image = G(z)
    G.synthesis.input.transform.copy_(before)
    return image


def shifted(G: Generator, z: Tensor, x: int, y: int) -> Tensor:
    return moved(G, z, [[1, 0, -x / 32], [0, 1, -y / 32], [0, 0, 1]])


def inner(image: Tensor, edge: int) -> Tensor:
    return image[:, :, edge:-edge, edge:-edge]


def apart(one: Tensor, other: Tensor) -> float:
    """Return their distance as a share of how much the points of an image differ."""
    return float((one - other).square().mean().sqrt() / other.std((2, 3)).square().mean().sqrt())


def without_filters(G: Generator) -> None:
    """Bend at the higher rate, but keep every second point as it is."""
    for layer in G.synthesis.layers():
        if isinstance(layer, Layer):
            layer.down_filter.zero_()
            layer.down_filter[(len(layer.down_filter) // 2,) * layer.down_filter.dim()] = 1


@pytest.mark.parametrize("kind", KINDS)
def test_images_shift_by_whole_pixels_as_their_input_does(kind: str) -> None:
    """A pixel is half a point of the coarser grids: what they alias moves otherwise.

    Filters of 12 taps let through what they stop by 10^(-A / 20), A being Kaiser's attenuation, when they interpolate
    and when they filter down; each leaky ReLU behind enlarges that by its gain at most. So the error is at most as much
    of that without filters, and rounding, 1e-5.
    """
    G = made(kind)
    coarse = [band for band in bands(KINDS[kind], SPEC) if band.rate < 32]
    leaks = [10 ** (-(2.285 * 11 * math.pi * 2 * band.half_width / band.rate + 7.95) / 20) for band in coarse]
    leak = 2 * sum(leaks) * GAIN ** len(leaks)
    assert leak < 0.02
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    moves = [(1, 0), (0, -3), (2, 5)]

    def errors() -> list[float]:
        plain = G(z)
        return [apart(inner(shifted(G, z, x, y), 5), inner(plain.roll((y, x), (2, 3)), 5)) for x, y in moves]

    filtered = max(errors())
    assert apart(shifted(G, z, 2, 0), G(z)) > 0.05  # they do move
    without_filters(G)
    aliased = max(errors())
    assert filtered < leak * aliased + 1e-5
    assert aliased > 10 * (leak * aliased + 1e-5)  # the control


@pytest.mark.parametrize("kind", KINDS)
def test_images_turn_by_right_angles_in_config_r_only(kind: str) -> None:
    G = made(kind)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    turned = moved(G, z, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    off = min(apart(turned, G(z).rot90(way, (2, 3))) for way in (1, -1))
    assert off < 1e-4 if kind == "r" else off > 0.03


def test_an_image_is_the_same_in_any_batch() -> None:
    G = made("t")
    z = torch.randn(5, 8)
    w = G.mapping(z)[:, None].repeat(1, G.style_layers, 1)
    w[0] *= 50  # its styles outweigh those of all others: the authors normalise by the mean over the batch
    together = G.synthesis(w)
    alone = torch.cat([G.synthesis(one[None]) for one in w])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5 * float(alone.abs().max()))


def test_demodulation_cancels_the_size_of_styles_and_weights() -> None:
    G = made("t")
    layer = next(G.synthesis.layers())
    assert isinstance(layer, Layer)
    x, w = torch.randn(2, 8, *bands(KINDS["t"], SPEC)[0].size), torch.randn(2, 12)
    expected = layer(x, w)
    for tensor in (layer.affine.weight, layer.affine.bias, layer.weight):
        assert tensor is not None
        tensor.mul_(7)
    torch.testing.assert_close(layer(x, w), expected, rtol=1e-4, atol=1e-5)


def test_magnitudes_follow_the_fakes_of_training_only_and_bring_features_to_unit_size() -> None:
    G = made("t")
    layers = list(G.synthesis.layers())
    before = torch.stack([layer.magnitude_ema for layer in layers])
    z = torch.randn(64, 8)
    with torch.no_grad():
        G(z)
        G.synthesis.follow_magnitudes(100)
    assert torch.equal(torch.stack([layer.magnitude_ema for layer in layers]), before)  # in evaluation
    sizes: list[Tensor] = []
    for layer in layers:
        layer.register_forward_pre_hook(lambda _, args: sizes.append(args[0].square().mean()))
    G.train()
    with torch.no_grad():
        for part in z.split(16):
            G(part)
    G.synthesis.follow_magnitudes(20_000)  # their half-life
    seen = torch.stack(sizes).view(4, -1).mean(0)
    now = torch.stack([layer.magnitude_ema for layer in layers])
    torch.testing.assert_close(now, (before + seen) / 2)
    G.synthesis.follow_magnitudes(20_000)  # nothing was seen since
    assert torch.equal(torch.stack([layer.magnitude_ema for layer in layers]), now)


@pytest.mark.parametrize("spec", [DataSpec(3, 28, 28), DataSpec(4, 16, 24), DataSpec(1, 64, 8)], ids=str)
def test_other_shapes_are_parts_of_a_square(spec: DataSpec) -> None:
    """The same density of points: a part of the square's image, but for what is added at its edges."""
    full = 1 << (max(spec.height, spec.width) - 1).bit_length()
    square = DataSpec(spec.channels, full, full)
    part, whole = Generator(KINDS["t"], spec).eval(), Generator(KINDS["t"], square).eval()
    state = whole.state_dict()
    for mine, theirs in zip(part.state_dict().values(), state.values(), strict=True):
        mine.copy_(theirs)
    z = torch.randn(2, 8)
    with torch.no_grad():
        small, large = part(z), whole(z)
    assert small.shape[1:] == (spec.channels, spec.height, spec.width)
    top, left = (full - spec.height) // 2, (full - spec.width) // 2
    cut = large[:, :, top : top + spec.height, left : left + spec.width]
    centre = [slice(side // 2 - 2, side // 2 + 2) for side in small.shape[2:]]
    assert apart(small[:, :, *centre], cut[:, :, *centre]) < 0.05


def test_tiny_images_are_refused() -> None:
    with pytest.raises(UserError, match="at least 4 pixels, not 1x1"):
        bands(KINDS["t"], DataSpec(2, 1, 1))


def test_blurred_images_keep_their_mean_and_lose_their_details() -> None:
    image = torch.zeros(1, 2, 33, 33)
    image[:, :, 16, 16] = 1
    for sigma in (0.5, 2.0, 4.0):
        found = blurred(image, sigma)
        assert float(found.sum()) == pytest.approx(2, rel=1e-5)
        at = torch.arange(33) - 16
        expected = torch.exp2(-(at[:, None] ** 2 + at**2) / sigma**2)
        far = at.abs() > int(3 * sigma)
        expected[far] = expected[:, far] = 0
        torch.testing.assert_close(found[0, 0], expected / expected.sum(), rtol=0.02, atol=1e-5)
    assert blurred(image, 0.3) is image
    assert blurred(torch.rand(1, 3, 8, 6), 40.0).shape == (1, 3, 8, 6)
