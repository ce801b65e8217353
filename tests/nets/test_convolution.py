"""The convolutions of ours are torch's: values, gradients, and gradients of gradients."""

import pytest
import torch
from torch import Tensor, nn

from gancli.nets import convolution
from gancli.nets.convolution import Doubling, Halving


@pytest.mark.parametrize(("ours", "theirs"), [(Halving, nn.Conv2d), (Doubling, nn.ConvTranspose2d)])
def test_they_give_what_torchs_give(ours: type[nn.Module], theirs: type[nn.Module]) -> None:
    layer, plain = ours(64, 3).double(), theirs(64, 3, 4, 2, 1, bias=False).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 64, 8, 6, dtype=torch.double, requires_grad=True)

    def everything(net: nn.Module) -> list[Tensor]:
        y = net(x * 1)
        (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return [y, slope, *torch.autograd.grad(slope.square().sum() + y.sum(), [x, *net.parameters()])]

    for found, expected in zip(everything(layer), everything(plain)):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("layer", [Halving(64, 3), Doubling(64, 3)])
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
    layer = nn.Sequential(Halving(64, 3), nn.LeakyReLU(0.2, inplace=True))
    layer(torch.randn(2, 64, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
