"""Frechet distance between the Gaussians of two sets of features (Heusel et al. 2017, arXiv:1706.08500, eq. 6).

No matrix square root and no epsilon: an epsilon of 1e-6 moves FID by 3e-4.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gancli.metrics.features import Features, Moments

MANY = 10_000  # rows per image set; with more, moments are used instead
BLOCKS = 20
SIZES = 15  # sample sizes in the fit of FID-infinity
LEAST = 1 / 10  # of the images in its smallest set


def frechet(a: Features, b: Features) -> float:
    """Return |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) in float64; raise ValueError with fewer than two images."""
    if min(a.count, b.count) < 2:
        raise ValueError("a covariance needs at least two real and two generated images")
    deficient = min(a.count, b.count) <= len(a.moments.mean)
    if deficient and a.rows is not None and b.rows is not None and max(a.count, b.count) <= MANY:
        return _from_rows(a.rows, b.rows)
    return from_moments(a.moments, b.moments)


def _from_rows(a: Tensor, b: Tensor) -> float:
    """Return the distance for ranks below D: if S1 = A^T A, S2 = B^T B, tr (S1 S2)^1/2 is A B^T's nuclear norm."""
    (mean_a, A), (mean_b, B) = _whitened(a), _whitened(b)
    nuclear = torch.linalg.svdvals(A @ B.T).sum()
    return float((mean_a - mean_b).square().sum() + A.square().sum() + B.square().sum() - 2 * nuclear)


def _whitened(rows: Tensor) -> tuple[Tensor, Tensor]:
    rows = rows.double()
    mean = rows.mean(0)
    return mean, (rows - mean) / (len(rows) - 1) ** 0.5


def from_moments(a: Moments, b: Moments) -> float:
    """Return the distance: if S1 = R R^T, tr (S1 S2)^1/2 is the sum of the roots of R^T S2 R's eigenvalues."""
    values, vectors = torch.linalg.eigh(a.covariance)
    R = vectors * _positive(values).sqrt()
    roots = _positive(torch.linalg.eigvalsh(R.T @ b.covariance @ R)).sqrt()
    traces = a.covariance.trace() + b.covariance.trace()
    return float((a.mean - b.mean).square().sum() + traces - 2 * roots.sum())


def _positive(values: Tensor) -> Tensor:
    """Drop rounding errors: the root of 1e-16 would add 1e-8 for each missing rank."""
    noise = values.max().clamp(min=0) * len(values) * torch.finfo(values.dtype).eps
    return values.where(values > noise, 0)


# ----------------------------------------------------------------------------------------- uncertainty


@dataclass(frozen=True)
class Extrapolated:
    """FID extrapolated to infinitely many images: the intercept of a straight line over 1 / N."""

    value: float
    slope: float
    residual: float  # root mean square of the residuals
    sizes: tuple[int, ...]


def jackknife(fake: Features, real: Features, blocks: int = BLOCKS) -> float:
    """Estimate the standard error of the distance by leaving out one block of fakes at a time.

    A bootstrap would be biased: sampling with replacement lowers the number of different images.
    Raise ValueError without rows.
    """
    rows = _rows_of(fake)
    blocks = min(blocks, len(rows))
    kept = [torch.cat(rows.tensor_split(blocks)[:i] + rows.tensor_split(blocks)[i + 1 :]) for i in range(blocks)]
    values = torch.tensor([frechet(Features.of(part), real) for part in kept], dtype=torch.float64)
    return float(((blocks - 1) / blocks * (values - values.mean()).square().sum()).sqrt())


def infinity(fake: Features, real: Features, seed: int = 0) -> Extrapolated:
    """Extrapolate the distance to infinitely many fakes (Chong and Forsyth 2020, arXiv:1911.07023).

    Fit a line over 1 / N and return its value at 0. The bias from the number of real images stays. Raise ValueError
    without rows, or with fewer than 20 fakes.
    """
    rows = _rows_of(fake)
    if len(rows) < 20:
        raise ValueError("extrapolation needs at least 20 images")
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.linspace(max(10, len(rows) * LEAST), len(rows), SIZES).round().long().tolist()
    values = []
    for size in sizes:
        picked = torch.randperm(len(rows), generator=generator)[:size]
        values.append(frechet(Features.of(rows[picked]), real))
    y = torch.tensor(values, dtype=torch.float64)
    X = torch.stack([torch.ones_like(y), 1 / torch.tensor(sizes, dtype=torch.float64)], 1)
    intercept, slope = torch.linalg.lstsq(X, y[:, None]).solution[:, 0].tolist()
    residual = float((X[:, 0] * intercept + X[:, 1] * slope - y).square().mean().sqrt())
    return Extrapolated(intercept, slope, residual, tuple(sizes))


def _rows_of(features: Features) -> Tensor:
    if features.rows is None:
        raise ValueError("this score needs the features of every image, not only their moments")
    return features.rows
