"""Scores of a picture against the one that it should be, by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.metrics.feature_distance import feature_distance
from gancli.metrics.psnr import psnr
from gancli.metrics.ssim import ssim


def pictures(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(seed)).byte()


def flat(value: int) -> Tensor:
    return torch.full((1, 3, 16, 16), value, dtype=torch.uint8)


def test_psnr_of_a_known_error() -> None:
    x = flat(100)
    y = torch.cat([x + 5, x - 10, x])
    expected = [20 * math.log10(255 / 5), 20 * math.log10(255 / 10), 100.0]
    torch.testing.assert_close(psnr(y, x.repeat(3, 1, 1, 1)), torch.tensor(expected).double())
    assert float(psnr(flat(255), flat(0))) == 0


def test_ssim_of_plain_pictures_is_that_of_their_means() -> None:
    a, b = 60 / 255, 180 / 255
    expected = (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)
    assert float(ssim(flat(60), flat(180))) == pytest.approx(expected, abs=1e-12)
    x = pictures(2, 20, 30)
    torch.testing.assert_close(ssim(x, x), torch.ones(2).double())


def test_ssim_of_what_only_loses_contrast() -> None:
    """About the mean of every window, y = m + s (x - m): 2 s v + c over (1 + s^2) v + c, as luminances agree.

    Stripes of period 2 have nearly one mean and one variance under a Gaussian this wide.
    """
    stripes = torch.where(torch.arange(32) % 2 == 0, 40.0, -40.0).expand(1, 3, 32, 32)
    x, y = ((127 + stripes * s).byte() for s in (1.0, 0.5))
    v, c = (40 / 255) ** 2, 0.03**2
    assert float(ssim(x, y)) == pytest.approx((v + c) / (1.25 * v + c), abs=1e-3)


@pytest.mark.parametrize(("height", "width", "window"), [(11, 11, 11), (11, 12, 11), (5, 5, 5)])
def test_ssim_is_equation_13_under_a_gaussian(height: int, width: int, window: int) -> None:
    x, y = pictures(1, height, width, 1), pictures(1, height, width, 2)
    at = np.arange(window) - window // 2
    weights = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for channel in range(3):
        for left in range(width - window + 1):
            p, q = (side[0, channel, :, left : left + window].numpy() / 255 for side in (x, y))
            mp, mq = (weights * p).sum(), (weights * q).sum()
            vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
            both = (weights * (p - mp) * (q - mq)).sum()
            above = (2 * mp * mq + 1e-4) * (2 * both + 9e-4)
            found.append(above / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    assert float(ssim(x, y)) == pytest.approx(np.mean(found), abs=1e-12)


@pytest.mark.parametrize("side", [1, 2, 7])
def test_small_pictures_have_a_score(side: int) -> None:
    assert ssim(pictures(3, side, side, 1), pictures(3, side, side, 2)).isfinite().all()


def test_feature_distance_is_of_each_image_to_its_own_truth() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    truth = torch.tensor([[3.0, 4.0], [1.0, 2.0]])
    assert feature_distance(rows, truth) == pytest.approx((5 + 1) / 2)
    assert feature_distance(rows, rows.flip(0)) == pytest.approx(2**0.5)
