"""Self-attention: Zhang et al. 2019, section 3."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gancli.nets.layers.attention import SelfAttention

SIZES = st.tuples(st.integers(1, 20), st.integers(2, 9), st.integers(2, 9))


def attention(channels: int, gamma: float, pooled: bool = True) -> SelfAttention:
    torch.manual_seed(0)
    layer = SelfAttention(channels, pooled)
    nn.init.constant_(layer.gamma, gamma)
    return layer


@given(SIZES, st.booleans())
def test_rows_sum_to_one_and_at_the_start_it_is_the_identity(size: tuple[int, int, int], pooled: bool) -> None:
    channels, height, width = size
    layer = attention(channels, 0.0, pooled)
    x = torch.randn(2, *size)
    keys = (height // 2) * (width // 2) if pooled else height * width
    weights = layer.weights(x * 10)
    assert weights.shape == (2, height * width, keys)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, height * width))
    assert torch.equal(layer(x), x)
    layer.gamma.data.fill_(1)
    assert not torch.equal(layer(x), x)


def far(network: nn.Module) -> float:
    """How much the first corner of the output sees of the last corner of the input."""
    x = torch.randn(1, 8, 16, 16, requires_grad=True)
    slope: Tensor = torch.autograd.grad(network(x)[0, :, 0, 0].sum(), x)[0]
    return float(slope[0, :, -2:, -2:].abs().sum())


@pytest.mark.parametrize("pooled", [True, False])
def test_a_corner_sees_the_other_corner_which_convolutions_do_not(pooled: bool) -> None:
    assert far(attention(8, 1.0, pooled)) > 0
    assert far(attention(8, 0.0, pooled)) == 0
    assert far(nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)))) == 0


@given(st.permutations(range(12)))
def test_permuted_positions_permute_the_output_unless_they_are_pooled(order: list[int]) -> None:
    x = torch.randn(1, 8, 3, 4, generator=torch.Generator().manual_seed(1))
    moved = x.flatten(2)[:, :, order].unflatten(2, (3, 4))

    def agree(layer: SelfAttention) -> bool:
        expected = layer(x).flatten(2)[:, :, order].unflatten(2, (3, 4))
        return torch.allclose(layer(moved), expected, atol=1e-5)

    assert agree(attention(8, 1.0, pooled=False))


def test_pooling_is_what_breaks_that() -> None:
    x = torch.randn(1, 8, 4, 4)
    layer = attention(8, 1.0)
    assert not torch.allclose(layer(x.transpose(2, 3).roll(1, 2)), layer(x).transpose(2, 3).roll(1, 2), atol=1e-5)
