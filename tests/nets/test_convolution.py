"""The convolutions of ours are torch's: values, gradients, and gradients of gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.nets import convolution
from gancli.nets.convolution import Convolution, Transposed
from gancli.nets.layers import InstanceNorm2d

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
@pytest.mark.parametrize(("ours", "theirs", "how"), PAIRS)
def test_they_give_what_torchs_give(
    ours: Any, theirs: Any, how: dict[str, Any], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "AT_ONCE", at_once)
    monkeypatch.setattr(convolution, "MANY", 4)
    layer, plain = (net(8, 5, bias=False, **how).double() for net in (ours, theirs))
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(3, 8, 8, 7, dtype=torch.double, requires_grad=True)
    for found, expected in zip(everything(layer, x), everything(plain, x)):
        torch.testing.assert_close(found, expected)


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
