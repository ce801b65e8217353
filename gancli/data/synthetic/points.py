"""Sets of points in the plane: training takes seconds and shows what a loss does to a distribution.

A point is an image of one pixel and two channels, (N, 2, 1, 1), whose values have no bounds. The three sets are those
of the WGAN-GP authors' code (Gulrajani et al. 2017), in its units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

COUNT = 65_536  # points in a set
SEED = 2014
Draw = Callable[[int, np.random.Generator], NDArray[np.float64]]


@dataclass(frozen=True)
class Mixture:
    """Gaussians of equal weight: their centres (K, 2) and the standard deviation of each."""

    centres: NDArray[np.float64]
    sigma: float

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Sample `n` points (n, 2)."""
        return self.centres[rng.integers(len(self.centres), size=n)] + self.sigma * rng.standard_normal((n, 2))


def _ring() -> Mixture:
    """Return eight Gaussians on a circle of radius 2, deviation 0.02; both divided by 1.414."""
    angle = np.arange(8) * np.pi / 4
    return Mixture(2 / 1.414 * np.stack([np.cos(angle), np.sin(angle)], 1), 0.02 / 1.414)


def _grid() -> Mixture:
    """Return twenty-five Gaussians on a lattice of step 2, deviation 0.05; both divided by 2.828."""
    side = np.arange(-2, 3) * 2 / 2.828
    return Mixture(np.stack(np.meshgrid(side, side), 2).reshape(-1, 2), 0.05 / 2.828)


def _swissroll(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Sample a spiral of one and a half turns, deviation 0.25; both divided by 7.5."""
    angle = 1.5 * np.pi * (1 + 2 * rng.random(n))
    roll = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (roll + 0.25 * rng.standard_normal((n, 2))) / 7.5


MIXTURES = {"ring8": _ring(), "grid25": _grid()}
SETS: dict[str, Draw] = {**{name: mixture.draw for name, mixture in MIXTURES.items()}, "swissroll": _swissroll}


def draw(name: str, n: int = COUNT, seed: int = SEED) -> Array:
    """Sample `n` points of a set, (n, 2, 1, 1)."""
    return SETS[name](n, np.random.default_rng(seed)).astype(np.float32)[:, :, None, None]
