"""Scores against what they are by hand."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gancli.metrics import fid, prdc, two_sample
from gancli.metrics.features import Collector, Features, Moments
from gancli.metrics.inception_score import inception_score, mode_score
from gancli.metrics.kid import kid


def exact(n: int, mean: Tensor, root: Tensor, seed: int) -> Tensor:
    """Rows (n, D) whose mean is `mean` and whose covariance is `root` root^T, not only in expectation."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, root.shape[1], generator=generator, dtype=torch.float64)
    x = torch.linalg.qr(x - x.mean(0)).Q * (n - 1) ** 0.5
    return x @ root.T + mean


def only_moments(rows: Tensor) -> Features:
    return Features(Moments.of(rows))


@pytest.mark.parametrize("n", [40, 3000])
@pytest.mark.parametrize("rank", [3, 16])
@pytest.mark.parametrize("kind", [Features.of, only_moments])
def test_frechet_distance_of_two_gaussians(n, rank, kind) -> None:
    """Covariances that commute: |m1 - m2|^2 + sum (s1 - s2)^2, also when their rank is below D."""
    turn = torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q
    s1, s2 = torch.linspace(0.5, 4, rank), torch.linspace(3, 1, rank)
    m1, m2 = torch.zeros(16), torch.full((16,), 0.25)
    a = exact(n, m1, turn[:, :rank] * s1, 1)
    b = exact(n + 7, m2, turn[:, :rank] * s2, 2)
    expected = float((m1 - m2).square().sum() + (s1.double() - s2.double()).square().sum())
    assert fid.frechet(kind(a), kind(b)) == pytest.approx(expected, rel=1e-9)
    assert fid.frechet(kind(a), kind(a)) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_fewer_images_than_features_is_the_same_from_rows_and_moments() -> None:
    a, b = (torch.randn(20, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert fid.frechet(only_moments(a), only_moments(b)) == pytest.approx(fid.frechet(Features.of(a), Features.of(b)))


@given(st.integers(0, 2**31), st.lists(st.integers(1, 700), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_streamed_moments_are_those_of_all_rows(seed, sizes) -> None:
    rows = torch.randn(sum(sizes) + 1, 4, generator=torch.Generator().manual_seed(seed)) * 3 + 100
    collector = Collector(keep_rows=True)
    for place, part in enumerate(rows.split([*sizes, 1])):
        collector.add(place, part)
    found, expected = collector.features(), Moments.of(rows)
    assert found.count == len(rows)
    assert found.rows is not None
    torch.testing.assert_close(found.rows, rows, rtol=0, atol=0)
    torch.testing.assert_close(found.moments.mean, expected.mean, rtol=1e-13, atol=0)
    torch.testing.assert_close(found.moments.scatter, expected.scatter, rtol=1e-9, atol=1e-9)


def test_moments_without_a_part_are_those_of_the_rest() -> None:
    rows = torch.randn(100, 5, generator=torch.Generator().manual_seed(3)) + 7
    rest, expected = Moments.of(rows) - Moments.of(rows[:30]), Moments.of(rows[30:])
    assert rest.count == 70
    torch.testing.assert_close(rest.mean, expected.mean)
    torch.testing.assert_close(rest.scatter, expected.scatter)


def test_jackknife_is_near_the_spread_of_fresh_samples() -> None:
    generator = torch.Generator().manual_seed(4)
    real = Features.of(torch.randn(2000, 4, generator=generator))
    draws = [Features.of(torch.randn(200, 4, generator=generator) + 0.5) for _ in range(40)]
    spread = np.std([fid.frechet(draw, real) for draw in draws])
    claimed = np.mean([fid.jackknife(draw, real) for draw in draws[:8]])
    assert 0.6 * spread < claimed < 1.6 * spread


def test_infinity_takes_the_bias_of_few_fakes_away() -> None:
    """10 Gaussian features: the distance to many reals is biased by about D (D + 1) / 4N, in a straight line."""
    generator = torch.Generator().manual_seed(5)
    real = Features.of(torch.randn(20_000, 10, generator=generator))
    fake = Features.of(torch.randn(1000, 10, generator=generator))
    found = fid.infinity(fake, real)
    assert found.slope > 0
    assert abs(found.value) < fid.frechet(fake, real) / 2


def test_inception_score_counts_confident_classes() -> None:
    logits = torch.eye(7).repeat(40, 1) * 1e4
    assert inception_score(logits, splits=1)[0] == pytest.approx(7)
    assert inception_score(torch.zeros(50, 7)) == pytest.approx((1, 0))
    assert inception_score(logits[:4])[0] == 1  # a split an image


def test_mode_score_falls_when_classes_are_missing() -> None:
    real = torch.eye(4).repeat(20, 1) * 1e4
    assert mode_score(real, real) == pytest.approx(4)
    two = real[real[:, :2].sum(1) > 0]
    assert mode_score(two, real) == pytest.approx(2 / 2)  # exp(log 2 - log 2)


def test_kid_is_unbiased() -> None:
    generator = torch.Generator().manual_seed(6)
    a, b = torch.randn(300, 8, generator=generator), torch.randn(300, 8, generator=generator)
    same, deviation = kid(a, b, subsets=50, size=50)
    assert abs(same) < deviation
    # by hand on two points a side: k(0, 0) = 1, k(1, 1) = (1 / 1 + 1)^3 = 8, k(0, 1) = 1
    zeros, ones = torch.zeros(2, 1), torch.ones(2, 1)
    assert kid(zeros, ones, subsets=1)[0] == 1 + 8 - 2 * 1


@given(st.integers(4, 60), st.integers(4, 60))
def test_kid_of_few_images_has_a_deviation(fakes: int, reals: int) -> None:
    """The value is that of all images, where the subsets would all be the same; their deviation would be 0."""
    generator = torch.Generator().manual_seed(fakes)
    a, b = (torch.randn(n, 8, generator=generator) for n in (fakes, reals))
    value, deviation = kid(a, b, subsets=20)
    assert deviation > 1e-6
    if fakes == reals:
        assert value == pytest.approx(kid(a, b, subsets=1)[0], abs=1e-9)


def test_the_deviation_of_kid_halves_with_four_times_the_images() -> None:
    generator = torch.Generator().manual_seed(0)
    found = [kid(*(torch.randn(n, 8, generator=generator) for _ in "ab"), subsets=40)[1] for n in (100, 400)]
    assert found[1] < found[0] / 2  # under equal distributions even faster


def test_precision_and_recall() -> None:
    grid = torch.tensor(list(itertools.product(range(10), repeat=2)), dtype=torch.float64)
    assert prdc.precision_recall(grid, grid) == (1, 1)
    assert prdc.precision_recall(grid + 100, grid) == (0, 0)
    corner = grid[:20]  # two rows of it: all real, but a part of the real only
    precision, recall = prdc.precision_recall(corner, grid)
    assert precision == 1
    assert recall < 0.5


def test_density_and_coverage() -> None:
    generator = torch.Generator().manual_seed(7)
    a, b = torch.randn(1000, 3, generator=generator), torch.randn(1000, 3, generator=generator)
    density, coverage = prdc.density_coverage(a, b)
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.03)  # of equal sets: 1 - 1 / 2^k, section 3.2 of the paper
    assert prdc.density_coverage(b[:1].repeat(1000, 1), b)[1] < 0.05


def test_wasserstein_of_lines_is_their_sorted_distance() -> None:
    generator = torch.Generator().manual_seed(8)
    a, b = torch.randn(150, 1, generator=generator), torch.randn(150, 1, generator=generator) + 1
    by_sorting = (a.double().sort(0).values - b.double().sort(0).values).abs().mean()
    assert two_sample.wasserstein(a, b) == pytest.approx(float(by_sorting))


@given(st.integers(0, 2**31), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_assignment_is_the_cheapest_of_all(seed, n) -> None:
    cost = np.random.default_rng(seed).random((n, n))
    rows = np.arange(n)
    cheapest = min(cost[rows, list(order)].sum() for order in itertools.permutations(range(n)))
    columns = two_sample.assignment(cost)
    assert sorted(columns) == list(range(n))
    assert cost[rows, columns].sum() == pytest.approx(cheapest)


def test_two_sample_tests() -> None:
    generator = torch.Generator().manual_seed(9)
    a, b = torch.randn(300, 4, generator=generator), torch.randn(300, 4, generator=generator)
    assert two_sample.nearest_neighbour(a, b) == pytest.approx(0.5, abs=0.06)
    assert two_sample.nearest_neighbour(a + 50, b) == 1
    assert two_sample.nearest_neighbour(b + 1e-6, b) < 0.01  # copies
    assert two_sample.mmd(b, b) == pytest.approx(0, abs=1e-12)
    assert two_sample.mmd(a, b) < two_sample.mmd(a + 1, b)
