"""The convolutions of ours are torch's: values, gradients, and gradients of gradients."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.layers import convolution, winograd
from gancli.nets.layers.convolution import Convolution, Transposed
from gancli.nets.layers.norms import InstanceNorm2d

HOW: list[dict[str, Any]] = [
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 1, "padding": 1, "padding_mode": "reflect"},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 4, "stride": 1, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
]
PAIRS = [
    pytest.param(ours, theirs, how, id=f"{ours.__name__}-{i}")
    for ours, theirs, other in (
        (Convolution, nn.Conv2d, "output_padding"),
        (Transposed, nn.ConvTranspose2d, "padding_mode"),
    )
    for i, how in enumerate(HOW)
    if other not in how
]


def everything(net: nn.Module, x: Tensor, last: bool = False) -> list[Tensor]:
    """Values, gradients, and gradients of gradients; `last`: with channels last."""
    y = net((x * 1).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format))
    (slope,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    return [y, slope, *torch.autograd.grad(slope.square().sum() + y.sum(), [x, *net.parameters()])]


@pytest.mark.parametrize("at_once", [1, 1 << 30])
@pytest.mark.parametrize("sides", [(8, 7), (8, 16), (16, 8)])  # the last two can be cut into tiles
@pytest.mark.parametrize(("ours", "theirs", "how"), PAIRS)
def test_they_give_what_torchs_give(
    ours: Any, theirs: Any, how: dict[str, Any], sides: Any, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (convolution, winograd):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
    monkeypatch.setattr(convolution, "MANY", 2)
    monkeypatch.setattr(winograd, "TILES", 1)
    layer, plain = (net(8, 5, bias=False, **how).double() for net in (ours, theirs))
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(3, 8, *sides, dtype=torch.double, requires_grad=True)
    for found, expected in zip(everything(layer, x), everything(plain, x)):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("ours", "theirs", "sides"), [(Convolution, nn.Conv2d, (4, 5)), (Transposed, nn.ConvTranspose2d, (1, 1))]
)
def test_filters_as_large_as_their_input_are_a_product(ours: Any, theirs: Any, sides: Any) -> None:
    layer, plain = (net(64, 65, (4, 5), bias=False).double() for net in (ours, theirs))
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(3, 64, *sides, dtype=torch.double, requires_grad=True)
    for found, expected in zip(everything(layer, x), everything(plain, x)):
        torch.testing.assert_close(found, expected)
    assert "convolution" not in names_of_nodes(layer(x))
    assert "convolution" in names_of_nodes(plain(x))


def test_a_single_pixel_with_more_rows_behind_it_is_no_product() -> None:
    how: dict[str, Any] = {"kernel_size": 3, "stride": 2, "output_padding": 1, "bias": False}
    layer, plain = (net(64, 64, **how) for net in (Transposed, nn.ConvTranspose2d))
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 64, 1, 1)
    torch.testing.assert_close(layer(x), plain(x))


def names_of_nodes(y: Tensor) -> str:
    """What autograd has recorded."""
    names, nodes = [], [y.grad_fn]
    while nodes:
        if (node := nodes.pop()) is not None:
            names.append(node.name().lower())
            nodes += [following for following, _ in node.next_functions]
    return " ".join(names)


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1)])
def test_minimal_filtering_is_used_where_it_pays_and_rounds_little(kernel: int, stride: int) -> None:
    x, weight = torch.randn(4, 128, 8 * stride, 32), torch.randn(128, 128, kernel, kernel)
    n, c, h, w = x.shape
    minimal = winograd.Minimal(n, c, h, w, 128, kernel, stride, 1)
    assert minimal.pays(128) == (kernel == 3)  # with the stride, its tiles are too few
    exact = F.conv2d(x.double(), weight.double(), None, stride, 1)
    for result, most in ((minimal.convolved(x, weight), 4e-6), (F.conv2d(x, weight, None, stride, 1), 1e-6)):
        assert (result - exact).norm() < most * exact.norm()


@given(
    st.lists(st.fractions(-3, 3, max_denominator=4), min_size=2, max_size=5, unique=True), st.integers(2, 4), st.data()
)
def test_any_points_give_the_sums(points: list[Fraction], taps: int, data: st.DataObject) -> None:
    outputs = len(points) + 2 - taps
    assume(outputs > 0)
    B, G, A = (np.array(M) for M in winograd.matrices(points, outputs, taps))
    numbers = st.integers(-9, 9)
    g = np.array(data.draw(st.lists(numbers, min_size=taps, max_size=taps)))
    d = np.array(data.draw(st.lists(numbers, min_size=len(points) + 1, max_size=len(points) + 1)))
    np.testing.assert_allclose(A @ ((G @ g) * (B @ d)), np.correlate(d, g), atol=1e-6)


@pytest.mark.parametrize("layer", [Convolution(64, 64, 4, 2, 1, bias=False), Transposed(64, 64, 4, 2, 1, bias=False)])
def test_a_gradient_of_the_weight_that_nobody_asks_for_is_not_computed(
    layer: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    plain = convolution._correlation
    monkeypatch.setattr(convolution, "_correlation", lambda *maps: calls.append(1) or plain(*maps))
    x = torch.randn(2, 64, 8, 8, requires_grad=True)
    layer(x * 1).sum().backward(inputs=[x])
    assert not calls
    layer(x * 1).sum().backward(inputs=[x, *layer.parameters()])
    assert len(calls) == 1


def test_in_place_activations_may_follow() -> None:
    layer = nn.Sequential(Convolution(64, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True))
    layer(torch.randn(2, 64, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_large_images_are_normalised_as_small_ones_are() -> None:
    norm = InstanceNorm2d(4, affine=True).double()
    assert norm.weight is not None
    nn.init.normal_(norm.weight)
    x = torch.randn(2, 4, 160, 128, dtype=torch.double, requires_grad=True)
    for found, expected in zip(everything(norm, x, last=True), everything(norm, x)):
        torch.testing.assert_close(found, expected)
