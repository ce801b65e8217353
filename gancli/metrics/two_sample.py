"""The scores of Xu et al. 2018 (arXiv:1806.07755) based on distances in feature space: MMD, Wasserstein, 1-NN."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gancli.metrics.prdc import distances

MOST = 2000  # images per set: the cost is cubic


def mmd(fake: Tensor, real: Tensor) -> float:
    """Return the squared MMD (biased, never negative), kernel width from the mean squared distance of real images."""
    within, across, other = (torch.cat(list(distances(*pair))) for pair in ((real, real), (fake, real), (fake, fake)))
    width = 2 * within.square().mean()
    return float(sum(sign * _gauss(d, width) for sign, d in ((1, within), (-2, across), (1, other))))


def _gauss(distance: Tensor, width: Tensor) -> Tensor:
    return torch.exp(-distance.square() / width).mean()


def wasserstein(fake: Tensor, real: Tensor) -> float:
    """Return the least mean distance of a one-to-one assignment of fakes to real images; the larger set is cut."""
    n = min(len(fake), len(real), MOST)
    cost = torch.cat(list(distances(fake[:n], real[:n]))).numpy()
    return float(cost[np.arange(n), assignment(cost)].mean())


def assignment(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each row's column in the cheapest one-to-one assignment (Jonker and Volgenant 1987, shortest paths)."""
    n = len(cost)
    u, v = np.zeros(n), np.zeros(n + 1)
    row_of = np.full(n + 1, -1)  # column n stands for the row that is being assigned
    for row in range(n):
        row_of[n], column = row, n
        best, parent = np.full(n, np.inf), np.full(n, n)
        done = np.zeros(n + 1, bool)
        while row_of[column] >= 0:  # grow the tree of shortest paths until a column is free
            done[column] = True
            i = row_of[column]
            reduced = cost[i] - u[i] - v[:n]
            nearer = ~done[:n] & (reduced < best)
            best[nearer], parent[nearer] = reduced[nearer], column
            following = int(np.where(done[:n], np.inf, best).argmin())
            step = best[following]
            u[row_of[done]] += step
            v[done] -= step
            best[~done[:n]] -= step
            column = following
        while column != n:  # and swap along the path
            row_of[column] = row_of[parent[column]]
            column = parent[column]
    columns = np.empty(n, np.int64)
    columns[row_of[:n]] = np.arange(n)
    return columns


def nearest_neighbour(fake: Tensor, real: Tensor) -> float:
    """Return how often an image's nearest neighbour is of its own set: 0.5 is best, 0 memorised, 1 separable.

    Leave-one-out. Both sets are cut to the smaller one, so that chance level is 0.5.
    """
    n = min(len(fake), len(real), MOST)
    both = torch.cat([fake[:n], real[:n]])
    square = torch.cat(list(distances(both, both))).fill_diagonal_(torch.inf)
    own = torch.arange(2 * n) < n
    return float((own[square.argmin(1)] == own).double().mean())
