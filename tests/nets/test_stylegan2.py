"""StyleGAN2's layers and networks: what modulation, demodulation, noise and styles do."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.mapping import mixed
from gancli.nets.high_fidelity.stylegan2 import Discriminator, Generator, SynthesisLayer, sides, widths
from gancli.nets.layers.modulation import demodulation, modulated, projected
from gancli.nets.layers.resampling.resample import blur, fir
from tests.variants.shares import in_double

EPS = torch.finfo(torch.float32).eps
W = 8
SQUARE, WIDE = DataSpec(3, 16, 16), DataSpec(4, 16, 24)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def generator(spec: DataSpec = SQUARE) -> Generator:
    return Generator(6, W, 2, [8, 6, 4], spec)


def demodulated(x: Tensor, weight: Tensor, style: Tensor, taps: Tensor | None = None) -> Tensor:
    return modulated(x, weight, style, taps) * demodulation(style, weight)[:, :, None, None]


def one_by_one(x: Tensor, weight: Tensor, style: Tensor, taps: Tensor | None = None) -> Tensor:
    """Scale the weights of each image, as the paper writes it, in a grouped convolution."""
    n, i, h, w = x.shape
    of_each = weight * style[:, None, :, None, None]
    of_each = of_each * (of_each.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, n * i, h, w)
    if taps is None:
        return F.conv2d(x, of_each.flatten(0, 1), padding=1, groups=n).view(n, -1, h, w)
    y = F.conv_transpose2d(x, of_each.transpose(1, 2).flatten(0, 1), stride=2, groups=n)
    return blur(y.view(n, -1, *y.shape[2:]), taps * 4, 1)


@pytest.mark.parametrize("up", [False, True])
def test_scaling_activations_is_scaling_weights(up: bool) -> None:
    x, weight, style = torch.randn(5, 16, 8, 6), torch.randn(12, 16, 3, 3), torch.randn(5, 16) + 1
    taps = fir() if up else None
    found, expected = demodulated(x, weight, style, taps), one_by_one(x, weight, style, taps)
    assert found.shape == (5, 12, 16, 12) if up else (5, 12, 8, 6)
    # a sum of 144 products of numbers of size one, in another order and rounded once more
    torch.testing.assert_close(found, expected, rtol=0, atol=EPS * math.sqrt(16 * 9) * float(expected.abs().max()))


def test_the_image_layer_is_a_modulated_convolution_without_demodulation() -> None:
    x, weight, style, bias = torch.randn(3, 16, 4, 6), torch.randn(2, 16, 1, 1), torch.randn(3, 16), torch.randn(2)
    expected = modulated(x, weight, style) + bias[:, None, None]
    torch.testing.assert_close(projected(x, weight, style, bias), expected, rtol=1e-5, atol=1e-5)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(projected(last, weight, style, bias), expected, rtol=1e-5, atol=1e-5)


def test_demodulation_undoes_the_size_of_a_style() -> None:
    x, weight, style = torch.randn(2, 8, 6, 6), torch.randn(4, 8, 3, 3), torch.randn(2, 8)
    torch.testing.assert_close(demodulated(x, weight, 7 * style), demodulated(x, weight, style), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(modulated(x, weight, 7 * style), modulated(x, weight, style))  # the control


@pytest.mark.parametrize("size", [0.1, 1.0, 20.0])
def test_unit_variance_stays(size: float) -> None:
    x, weight, style = torch.randn(64, 16, 8, 8), torch.randn(32, 16, 3, 3), size * torch.randn(64, 16)
    inner = demodulated(x, weight, style)[:, :, 1:-1, 1:-1]  # at the border, a kernel reads zeros
    # 64 images of 32 channels; their 36 places share weights: about 2048 independent values, within 5 standard errors
    assert inner.square().mean().item() == pytest.approx(1, abs=5 * math.sqrt(2 / 2048))


def test_demodulation_is_float32_under_autocast() -> None:
    style, weight = torch.randn(2, 8), torch.randn(4, 8, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = demodulation(style, weight)
    assert torch.equal(found, demodulation(style, weight))


# ------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("spec", [SQUARE, WIDE, DataSpec(1, 28, 28), DataSpec(3, 64, 96)])
def test_sizes_and_names_follow_the_image(spec: DataSpec) -> None:
    channels = [max(2, 8 >> i) for i in range(len(sides(spec)))]
    G, D = Generator(6, W, 2, channels, spec), Discriminator(2, channels, spec)
    image = G(torch.randn(2, 6))
    assert image.shape == (2, spec.channels, spec.height, spec.width)
    assert D(image, image.new_zeros(2, 0)).shape == (2,)
    assert G.synthesis.blocks[0] == f"b{min(sides(spec)[0])}"
    assert G.synthesis.get_parameter(f"{G.synthesis.blocks[0]}.const").shape[1:] == sides(spec)[0]


def test_widths_are_the_papers() -> None:
    assert widths(DataSpec(3, 256, 256), 16384, 512) == [512, 512, 512, 512, 256, 128, 64]
    assert widths(DataSpec(3, 1024, 1024), 32768, 512) == [512, 512, 512, 512, 512, 256, 128, 64, 32]


@pytest.mark.parametrize(
    ("base", "size", "parameters"), [(16384, 256, 24_767_458), (32768, 1024, 30_370_060)], ids=["paper256", "1024"]
)
def test_the_generator_has_as_many_parameters_as_the_authors(base: int, size: int, parameters: int) -> None:
    spec = DataSpec(3, size, size)
    with torch.device("meta"):
        G = Generator(512, 512, 8, widths(spec, base, 512), spec)
    assert sum(p.numel() for p in G.parameters()) == parameters


def test_noise_has_no_effect_at_the_start_and_one_map_for_all_channels_later() -> None:
    G, z = generator(), torch.randn(3, 6)
    assert torch.equal(G.train()(z), G(z))
    layers = [m for m in G.modules() if isinstance(m, SynthesisLayer)]
    with torch.no_grad():
        for layer in layers:
            layer.noise_strength.fill_(0.5)
    assert not torch.equal(G(z), G(z))
    assert layers[-1].noise(3).shape == (3, 1, 16, 16)
    assert torch.equal(G.eval()(z), G(z))


def test_in_evaluation_a_latent_gives_the_same_image_in_any_batch() -> None:
    G, z = generator(WIDE).eval(), torch.randn(5, 6)
    with torch.no_grad():
        for layer in (m for m in G.modules() if isinstance(m, SynthesisLayer)):
            layer.noise_strength.fill_(0.5)
        alone = torch.cat([G(row[None]) for row in z])
        # rounding depends on a batch's size; some tens of layers' worth of it
        torch.testing.assert_close(G(z), alone, rtol=0, atol=50 * EPS * float(alone.abs().max()))


def test_styles_are_mixed_by_layers() -> None:
    """Layers before the change see the one style, all others the other."""
    G = generator().eval()
    w, other = torch.full((1, W), 1.0), torch.full((1, W), 2.0)
    seen: list[float] = []
    for name, module in G.synthesis.named_modules():
        if name.endswith("affine"):
            module.register_forward_pre_hook(lambda _, given: seen.append(float(given[0].mean())))
    styles = torch.where(torch.arange(G.style_layers)[:, None] < 3, w[:, None], other[:, None])
    G.synthesis(styles)
    # layers 0 to 5: conv1 | torgb and the next conv0 | conv1 | torgb and conv0 | conv1 | torgb
    assert seen == [1, 1, 1, 1, 2, 2, 2, 2]


def test_the_place_of_the_change_is_uniform_and_the_first_layer_is_never_anothers() -> None:
    w, other, layers = torch.zeros(4000, 1), torch.ones(4000, 1), 6
    found = mixed(w, other, layers, 0.9)[:, :, 0]
    first = (found == 0).sum(1)  # layers of one's own
    counts = torch.bincount(first, minlength=layers + 1)
    assert counts[0] == 0
    expected = torch.tensor([0.9 / 5] * 5 + [0.1]) * 4000
    assert ((counts[1:] - expected).abs() < 5 * expected.sqrt()).all()  # five standard deviations
    assert (found.diff(dim=1) >= 0).all()
    assert (mixed(w, other, layers, 0.0) == 0).all()


def test_the_discriminator_is_the_papers() -> None:
    """Written out: weights over the root of their fan in, activations times root 2, both branches over root 2."""
    D = Discriminator(2, [8, 6, 4], DataSpec(3, 16, 16, ("a", "b"))).eval()
    held = {name: value.detach() for name, value in [*D.named_parameters(), *D.named_buffers()]}
    for name, value in D.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(value)

    def layer(x: Tensor, name: str, down: bool = False, active: bool = True, slower: float = 1.0) -> Tensor:
        weight = held[f"{name}.weight"] * slower
        weight = weight / math.sqrt(weight[0].numel())
        bias = held[f"{name}.bias"] * slower if f"{name}.bias" in held else None
        if x.dim() == 2:
            y = F.linear(x, weight, bias)
        elif down:
            # filtered with a margin so that the convolution, at every second pixel, ends at half of the sides
            margin = weight.shape[-1] // 2 + 1
            y = F.conv2d(blur(x, fir(), margin), weight, bias, stride=2)
        else:
            y = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        return F.leaky_relu(y, 0.2) * math.sqrt(2) if active else y

    image, label = torch.randn(3, 3, 16, 16), F.one_hot(torch.tensor([0, 1, 1]), 2).float()
    x = layer(image, "b16.fromrgb")
    for block in ("b16", "b8"):
        branch = layer(layer(x, f"{block}.conv0"), f"{block}.conv1", down=True)
        x = (branch + layer(x, f"{block}.skip", down=True, active=False)) / math.sqrt(2)
    x = layer(torch.cat([x, held["b4.mbstd.running"].expand(3, 1, 4, 4)], 1), "b4.conv")
    x = layer(layer(x.flatten(1), "b4.fc"), "b4.out", active=False)
    y = layer(label, "mapping.embed", active=False)
    y = y * (y.square().mean(1, keepdim=True) + 1e-8).rsqrt()
    for i in range(2):
        y = layer(y, f"mapping.fc{i}", slower=0.01)
    torch.testing.assert_close(D(image, label), (x * y).sum(1) / math.sqrt(8), rtol=1e-4, atol=1e-5)


@in_double()
def test_second_derivatives_of_both_networks() -> None:
    G, D = generator().eval(), Discriminator(2, [8, 6, 4], SQUARE)
    for module in (G, D):
        for name, weight in module.named_parameters():
            if name.endswith(("bias", "noise_strength")) and "affine" not in name:
                nn.init.normal_(weight, std=0.1)
    w = torch.randn(2, G.style_layers, W, requires_grad=True)
    x = torch.randn(2, 3, 16, 16, requires_grad=True)

    def slope_of(of: Tensor, at: Tensor) -> Tensor:
        return torch.autograd.grad(of, at, create_graph=True)[0].square().sum()

    def checked(function: Callable[[], Tensor], weight: nn.Parameter) -> None:
        (found,) = torch.autograd.grad(function(), weight)
        step = torch.randn_like(weight)
        weight.data.add_(1e-6 * step)
        high = function()
        weight.data.sub_(2e-6 * step)
        low = function()
        torch.testing.assert_close((found * step).sum(), (high - low) / 2e-6, rtol=1e-4, atol=1e-8)

    label = x.new_zeros(2, 0)
    for weight in (G.synthesis.get_parameter("b8.conv0.weight"), G.synthesis.get_parameter("b4.const")):
        checked(lambda: slope_of(G.synthesis(w).pow(2).sum(), w), weight)
    for weight in (D.get_parameter("b16.conv1.weight"), D.get_parameter("b16.skip.weight")):
        checked(lambda: slope_of(D(x, label).pow(2).sum(), x), weight)
