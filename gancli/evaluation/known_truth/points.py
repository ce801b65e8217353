"""Scores for points generated from a known mixture, as in Srivastava et al. 2017 (VEEGAN), section 4.1."""

import numpy as np

from gancli.data.synthetic.points import Array, Mixture

NEAR = 3.0  # standard deviations


def score(mixture: Mixture, points: Array) -> dict[str, float]:
    """Count the modes with a point (N, 2) within 3 sigma, and the share of points within 3 sigma of a mode.

    The share by itself would reward a collapse to one mode, the count by itself would reward noise.
    """
    distance = np.linalg.norm(points[:, None] - mixture.centres, axis=2)  # (N, K)
    nearest = distance.argmin(1)
    near = distance.min(1) <= NEAR * mixture.sigma
    return {"modes_hit": float(len(np.unique(nearest[near]))), "share_within_3_sigma": float(near.mean())}
