"""Collect features of images in a stream: moments always, single rows only if a score needs them.

Networks give float32; every sum here is float64. Letters: N images, D features, K classes of the extractor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Self

import torch
from torch import Tensor

from gancli.system import dist

PENDING = 512  # rows collected before they are summed: one large matrix product instead of many thin ones


@dataclass(frozen=True)
class Moments:
    """Count, mean (D,) and scatter (D, D) of rows. Sums and differences are exact up to rounding."""

    count: int
    mean: Tensor
    scatter: Tensor  # sum of the outer products of the deviations from the mean

    @classmethod
    def of(cls, rows: Tensor) -> Self:
        """Return the moments of rows (N, D)."""
        rows = rows.double()
        mean = rows.mean(0)
        centred = rows - mean
        return cls(len(rows), mean, centred.T @ centred)

    @property
    def covariance(self) -> Tensor:
        """Return the unbiased estimate, divided by N - 1."""
        return self.scatter / (self.count - 1)

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both together (Chan et al. 1983)."""
        count, apart = self.count + other.count, other.mean - self.mean
        scatter = (self.scatter + other.scatter).addr_(apart, apart, alpha=self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), scatter)

    def __sub__(self, part: "Moments") -> "Moments":
        """Return the moments of the rows without a part of them."""
        count = self.count - part.count
        mean = (self.count * self.mean - part.count * part.mean) / count
        apart = part.mean - mean
        scatter = (self.scatter - part.scatter).addr_(apart, apart, alpha=-count * part.count / self.count)
        return Moments(count, mean, scatter)


@dataclass(frozen=True)
class Features:
    """The features of one image set."""

    moments: Moments
    rows: Tensor | None = None  # (N, D), the network's output
    logits: Tensor | None = None  # (N, K)
    labels: Tensor | None = None  # (N,), -1 for none

    @property
    def count(self) -> int:
        """Return the number of images."""
        return self.moments.count

    @classmethod
    def of(cls, rows: Tensor, logits: Tensor | None = None) -> Self:
        """Return the features with these rows."""
        return cls(Moments.of(rows), rows, logits)


class Collector:
    """Sum up batches of features; keep rows and logits only on request, so that 50,000 images need little memory.

    Several processes may add different batches; together they give the result of a single process.
    """

    def __init__(self, *, keep_rows: bool, keep_logits: bool = False) -> None:
        self._keep_rows, self._keep_logits = keep_rows, keep_logits
        self._moments: list[Moments] = []  # one, or none yet
        self._pending: list[Tensor] = []
        self._rows: dict[int, Tensor] = {}  # by position
        self._logits: dict[int, Tensor] = {}

    def add(self, place: int, rows: Tensor, logits: Tensor | None = None) -> None:
        """Add the features (n, D) of a batch, and its logits (n, K); `place` is its position."""
        rows = rows.detach().cpu()
        self._pending.append(rows)
        if self._keep_rows:
            self._rows[place] = rows
        if logits is not None and self._keep_logits:
            self._logits[place] = logits.detach().cpu()
        if sum(map(len, self._pending)) >= PENDING:
            self._settle()

    def _settle(self) -> None:
        self._moments = [sum_of([*self._moments, Moments.of(torch.cat(self._pending))])]
        self._pending = []

    def features(self, labels: Tensor | None = None) -> Features:
        """Return the features collected by all processes; raise ValueError if there are none."""
        if self._pending:
            self._settle()
        parts = dist.gathered((self._moments, self._rows, self._logits))
        moments = [part for found, _, _ in parts for part in found]
        if not moments:
            raise ValueError("no features were collected")
        rows, logits = (_joined([part[i] for part in parts]) for i in (1, 2))
        return Features(sum_of(moments), rows, logits, labels)


def sum_of(moments: Sequence[Moments]) -> Moments:
    """Return the moments of all parts together."""
    return reduce(Moments.__add__, moments)


def _joined(parts: Sequence[dict[int, Tensor]]) -> Tensor | None:
    """Join the batches of several processes in the order of their positions."""
    held = {place: rows for part in parts for place, rows in part.items()}
    return torch.cat([held[place] for place in sorted(held)]) if held else None
