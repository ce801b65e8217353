"""Filtered leaky ReLUs and the design of their filters."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gancli.nets.layers.equalised import GAIN
from gancli.nets.layers.resampling.filtered import filtered_lrelu, kaiser_beta, lowpass, radial_lowpass


def response(taps: Tensor, frequency: float, rate: float) -> float:
    """Return the gain at a frequency along the first axis."""
    line = taps.double() if taps.dim() == 1 else taps.double().sum(1)
    at = torch.arange(len(line), dtype=torch.float64) - (len(line) - 1) / 2
    return float((line * torch.cos(2 * math.pi * frequency / rate * at)).sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(6, 24), st.floats(0.1, 0.35), st.floats(0.15, 0.3))
def test_a_filter_passes_half_at_its_cutoff_and_little_beyond(half: int, cutoff: float, width: float) -> None:
    rate = 32.0
    taps = lowpass(2 * half, cutoff * rate, width * rate, rate)
    assert float(taps.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.equal(taps, taps.flip(0))
    attenuation = 2.285 * (2 * half - 1) * math.pi * 2 * width + 7.95  # dB, Kaiser's formula
    leak = max(10 ** (-attenuation / 20), 1e-6)
    if width / 2 < min(cutoff, 0.5 - cutoff):  # the slope ends within the band
        assert response(taps, cutoff * rate, rate) == pytest.approx(0.5, abs=4 * leak + 1e-3)
        stopped = np.linspace((cutoff + width / 2) * rate, rate / 2, 20)
        assert max(abs(response(taps, f, rate)) for f in stopped) < 4 * leak
        passed = np.linspace(0, (cutoff - width / 2) * rate, 20)
        assert max(abs(response(taps, f, rate) - 1) for f in passed) < 4 * leak


def test_windows_have_kaisers_shape() -> None:
    taps, rate = 12, 64.0

    def width(attenuation: float) -> float:
        return (attenuation - 7.95) / (2.285 * (taps - 1) * math.pi) * rate / 2

    assert kaiser_beta(taps, width(60), rate) == pytest.approx(0.1102 * 51.3)
    assert kaiser_beta(taps, width(30), rate) == pytest.approx(2.1166, abs=1e-4)  # Kaiser's table
    assert kaiser_beta(taps, width(20), rate) == 0


def test_radial_filters_pass_all_directions_alike_and_separable_ones_do_not() -> None:
    rate, cutoff, width = 64.0, 10.0, 12.0
    line = lowpass(12, cutoff, width, rate)

    def along(taps: Tensor, frequency: float, angle: float) -> float:
        at = torch.arange(12, dtype=torch.float64) - 5.5
        wave = torch.cos(2 * math.pi * frequency / rate * (at[:, None] * math.sin(angle) + at * math.cos(angle)))
        return float((taps.double() * wave).sum())

    def uneven(taps: Tensor) -> float:
        angles = np.linspace(0, math.pi / 2, 13)
        return float(max(np.ptp([along(taps, f, a) for a in angles]) for f in (8.0, 10.0, 14.0, 18.0)))

    taps = radial_lowpass(12, cutoff, width, rate)
    assert float(taps.sum()) == pytest.approx(1, abs=1e-6)
    for turned in (taps.T, taps.flip(0), taps.flip(1)):
        assert torch.allclose(taps, turned, atol=1e-9)
    assert uneven(taps) < 0.03  # the window is not quite radial
    assert uneven(torch.outer(line, line)) > 0.1


def directly(x: Tensor, up_filter: Tensor, down_filter: Tensor, up: int, down: int, crop: int, clamp: float) -> Tensor:
    """What the layer means, one map after the other: zeros between points, sums of products, every n-th point."""

    def correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
        return np.einsum("hwij,ij->hw", windows, kernel)

    kernel = np.outer(up_filter, up_filter) * up**2
    kernel_down = down_filter.numpy() if down_filter.dim() == 2 else np.outer(down_filter, down_filter)
    found = []
    for image in x.flatten(0, 1).numpy():
        wide = np.zeros([(side - 1) * up + 1 for side in image.shape])
        wide[::up, ::up] = image
        wide = correlate(np.pad(wide, len(up_filter) - 1), kernel)
        wide = wide[crop : len(wide) - crop, crop : wide.shape[1] - crop]
        bent = np.clip(np.where(wide > 0, wide, 0.2 * wide) * GAIN, -clamp, clamp)
        found.append(correlate(bent, kernel_down)[::down, ::down])
    return torch.from_numpy(np.stack(found)).unflatten(0, x.shape[:2])


@pytest.mark.parametrize(("up", "down", "crop"), [(2, 2, 2), (4, 2, 5), (2, 1, 0)])
@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("clamp", [256.0, 0.7])
def test_it_is_what_it_means(up: int, down: int, crop: int, radial: bool, clamp: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    up_filter = lowpass(6 * up, 1.0, 2.0, 4.0 * up).double()
    down_filter = (radial_lowpass if radial else lowpass)(6 * down, 1.0, 2.0, 4.0 * down).double()
    expected = directly(x, up_filter, down_filter, up, down, crop, clamp)
    # the gain comes before the clamp, as in the authors' code, wherever it is multiplied in
    found = filtered_lrelu(x, up_filter, down_filter, up, down, (crop, crop), clamp)
    assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("radial", [False, True])
def test_its_gradient_is_right_for_batches_in_one_part_and_in_several(
    radial: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    up_filter = lowpass(12, 1.0, 2.0, 8.0).double()
    down_filter = (radial_lowpass if radial else lowpass)(12, 1.0, 2.0, 8.0).double()
    for part in (1, 1 << 20):
        monkeypatch.setattr("gancli.nets.layers.resampling.filtered.PART", part)
        assert torch.autograd.gradcheck(
            lambda x: filtered_lrelu(x, up_filter, down_filter, 2, 2, (1, 1), 0.5), x, fast_mode=True
        )


def test_a_second_derivative_is_refused_instead_of_wrong() -> None:
    x = torch.randn(1, 1, 8, 8, requires_grad=True)
    taps = lowpass(12, 1.0, 2.0, 8.0)
    y = filtered_lrelu(x, taps, taps, 2, 2, (1, 1), 1.0)
    (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.square().sum().backward()
