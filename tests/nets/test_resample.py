"""Filtered resampling, against zeros inserted, padding and a sum over taps written out."""

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from gancli.nets.layers.resampling import resample as spelling
from gancli.nets.layers.resampling.resample import blur, downsample, fir, gather, spread, upsample

TAPS = st.lists(st.floats(0.1, 3), min_size=2, max_size=7)
SIDES = st.sampled_from([(4, 4), (6, 5), (7, 8), (3, 9)])


@pytest.fixture(params=["depthwise", "in bands"], autouse=True, scope="module")
def spelled(request: pytest.FixtureRequest) -> Iterator[None]:
    """As on a CPU, and as on a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spelling, "in_bands", lambda _: request.param == "in bands")
        yield


def upfirdn(x: Tensor, f: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Insert zeros, pad, convolve (which turns the filter round), keep every down-th: a tap at a time."""
    n, c, h, w = x.shape
    z = x.new_zeros(n, c, h, up, w, up)
    z[:, :, :, 0, :, 0] = x
    z = F.pad(z.reshape(n, c, h * up, w * up), [pad[0], pad[1], pad[0], pad[1]])
    k = len(f)
    rows, columns = z.shape[2] - k + 1, z.shape[3] - k + 1
    taps = [(i, j) for i in range(k) for j in range(k)]
    y = sum(f[k - 1 - i, k - 1 - j] * z[:, :, i : i + rows, j : j + columns] for i, j in taps)
    return torch.as_tensor(y)[:, :, ::down, ::down]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("shape", "stride"), [((5, 1), (2, 1)), ((1, 4), (1, 3)), ((6, 1), (1, 1))])
def test_one_axis_at_a_time(shape: tuple[int, int], stride: tuple[int, int], layout: torch.memory_format) -> None:
    x = torch.randn(2, 8, 9, 10, dtype=torch.double).to(memory_format=layout)
    taps = torch.randn(shape, dtype=torch.double)
    margin = (1, 0) if shape[1] == 1 else (0, 1)
    kernel = taps.expand(8, 1, -1, -1)
    expected = F.conv2d(x, kernel, None, stride, margin, groups=8)
    torch.testing.assert_close(gather(x, taps, stride, margin), expected)
    expected = F.conv_transpose2d(x, kernel, None, stride, margin, groups=8)
    torch.testing.assert_close(spread(x, taps, stride, margin), expected)


def images(sides: tuple[int, int]) -> Tensor:
    return torch.randn(2, 3, *sides, dtype=torch.double, generator=torch.Generator().manual_seed(0))


@given(TAPS, SIDES)
@settings(max_examples=25)
def test_up_is_zeros_between_pixels_and_a_filter_of_gain_four(taps: list[float], sides: tuple[int, int]) -> None:
    x, f, k = images(sides), fir(taps).double(), len(taps)
    expected = upfirdn(x, f * 4, up=2, pad=((k + 1) // 2, (k - 2) // 2))
    torch.testing.assert_close(upsample(x, f), expected)


@given(TAPS, SIDES)
@settings(max_examples=25)
def test_down_is_a_filter_and_every_second_pixel(taps: list[float], sides: tuple[int, int]) -> None:
    x, f, k = images(sides), fir(taps).double(), len(taps)
    expected = upfirdn(x, f, down=2, pad=((k - 1) // 2, (k - 2) // 2))
    found = downsample(x, f)
    assert found.shape[2:] == (sides[0] // 2, sides[1] // 2)
    torch.testing.assert_close(found, expected[:, :, : found.shape[2], : found.shape[3]])


@given(TAPS, SIDES, st.integers(0, 7), st.integers(0, 7))
@settings(max_examples=25)
def test_blur_is_a_filter_with_zeros_around(
    taps: list[float], sides: tuple[int, int], before: int, behind: int
) -> None:
    if before + behind + min(sides) < len(taps):
        return
    x, f = images(sides), fir(taps).double()
    torch.testing.assert_close(blur(x, f, (before, behind)), upfirdn(x, f, pad=(before, behind)))


def test_known_values() -> None:
    f = fir()
    torch.testing.assert_close(f[0] * 64, torch.tensor([1.0, 3, 3, 1]))
    # away from borders a constant stays; a border sees zeros beyond: of the taps 1 3 3 1, times 2, one is lost
    up = upsample(torch.ones(1, 1, 4, 4), f)[0, 0]
    torch.testing.assert_close(up[3, 1:-1], torch.ones(6))
    torch.testing.assert_close(up[3, 0], torch.tensor(0.75))
    # linear interpolation at a quarter and three quarters of the way
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    torch.testing.assert_close(upsample(ramp, f)[0, 0, 3, 1:-1], torch.arange(6.0) / 2 + 0.25)
    torch.testing.assert_close(downsample(ramp, f)[0, 0, 1], 7 / 8 * torch.tensor([(3 + 2) / 8, (1 + 6 + 9) / 8]))


@pytest.mark.parametrize("sides", [(6, 6), (6, 7)])
@pytest.mark.parametrize(
    "resample",
    [
        upsample,
        downsample,
        lambda x, f: blur(x, f, 1),
        lambda x, f: blur(x, f, 5),
        lambda x, f: blur(x, f, (2, 1)),
    ],
)
def test_derivatives_of_both_orders(resample: Callable[[Tensor, Tensor], Tensor], sides: tuple[int, int]) -> None:
    f = fir((1.0, 2.0, 4.0, 3.0)).double()  # not its own mirror image
    x = images(sides)[:1, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: resample(x, f), x)
    assert torch.autograd.gradgradcheck(lambda x: resample(x, f).pow(2), x)


def test_images_keep_their_precision_under_autocast() -> None:
    x, f = torch.randn(1, 3, 8, 8), fir()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(upsample(x, f), upsample(x.clone(), f))
        found = upsample(x, f)
        assert upsample(x.bfloat16(), f).dtype == torch.bfloat16
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, upsample(x, f), rtol=0, atol=0)


def test_the_gradient_inside_a_function_that_torch_transforms() -> None:
    """As penalties take it in compiled code."""
    x, f = torch.randn(1, 2, 6, 6), fir()
    inside = torch.func.grad(lambda x: downsample(upsample(x, f), f).pow(2).sum())(x)
    at = x.clone().requires_grad_()
    (outside,) = torch.autograd.grad(downsample(upsample(at, f), f).pow(2).sum(), at)
    torch.testing.assert_close(inside, outside)
