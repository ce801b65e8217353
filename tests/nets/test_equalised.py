"""Equalised layers and pixel norm."""

import pytest
import torch
from torch import nn

from gancli.nets.layers.equalised import EqualisedConv2d, EqualisedLinear
from gancli.nets.layers.norms import PixelNorm


@pytest.mark.parametrize("width", [16, 256])
@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
def test_unit_inputs_give_unit_outputs_whatever_the_width(width: int, lr_multiplier: float) -> None:
    torch.manual_seed(0)
    linear = EqualisedLinear(width, 512, lr_multiplier=lr_multiplier)(torch.randn(512, width))
    convolution = EqualisedConv2d(width, 256, 3, padding=0)(torch.randn(64, width, 8, 8))
    # 512 * 16 independent weights at least: the standard error of a standard deviation is below 1 %; four of them
    assert linear.std().item() == pytest.approx(1, abs=0.04)
    assert convolution.std().item() == pytest.approx(1, abs=0.04)


def test_adam_moves_every_layer_by_the_same_share_of_its_size() -> None:
    def share(layer: nn.Module, x: torch.Tensor) -> float:
        (weight,) = (p for name, p in layer.named_parameters() if name.endswith("weight"))
        before = weight.detach().clone()
        optimiser = torch.optim.Adam([weight], lr=1e-3)
        layer(x).square().mean().backward()
        optimiser.step()
        return ((weight.detach() - before).norm() / before.norm()).item()

    torch.manual_seed(0)
    equalised = [share(EqualisedLinear(width, 64), torch.randn(32, width)) for width in (16, 1024)]
    plain = [share(nn.Linear(width, 64), torch.randn(32, width)) for width in (16, 1024)]
    assert equalised[0] == pytest.approx(equalised[1], rel=0.1)
    assert plain[1] > 2 * plain[0]  # the control: torch's initial weights are smaller in wider layers


def test_a_learning_rate_multiplier_scales_the_step_of_the_effective_weight() -> None:
    def moved(lr_multiplier: float) -> torch.Tensor:
        torch.manual_seed(0)
        layer = EqualisedLinear(8, 8, bias=1.0, lr_multiplier=lr_multiplier)
        torch.testing.assert_close(layer(torch.zeros(1, 8)), torch.ones(1, 8))
        optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
        x = torch.randn(4, 8)
        before = layer(x)
        before.sum().backward()
        optimiser.step()
        return (layer(x) - before).detach()

    # SGD moves a parameter by its gradient, which carries the multiplier once, and its use carries it once more
    torch.testing.assert_close(moved(0.1), moved(1.0) * 0.01, rtol=1e-3, atol=1e-6)


def test_pixel_norm_leaves_mean_squares_of_one() -> None:
    x = torch.randn(3, 16, 4, 5) * 7
    torch.testing.assert_close(PixelNorm()(x).square().mean(1), torch.ones(3, 4, 5))
    assert PixelNorm()(torch.full((1, 4, 1, 1), 300.0).half()).isfinite().all()  # 300^2 overflows in half
