"""Convolutions by minimal filtering: the same sums with a quarter to two fifths of the multiplications.

y = A^T [(G g) * (B^T d)] gives 4 neighbouring outputs of a filter of `taps` taps for taps + 3 multiplications in place
of 4 taps; along rows and then along columns, a tile of 4 x 4. Between all channels they are matrix products. Winograd
1980; Lavin and Gray 2016, arXiv:1509.09308, sections 3 to 5. A convolution with a stride is the sum of those of every
stride-th row and column, which add up within the products. In float32 the result is off by 2e-6 of its size where a
plain sum is off by 3e-7.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

Matrix = Sequence[Sequence[float]]
TILE = 4  # outputs along a side
AT_ONCE = 16 << 20  # bytes of tiles: what a cache holds
TILES = 64  # with fewer, oneDNN is quicker


def matrices(points: Sequence[Fraction | int], outputs: int, taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """B^T, G and A^T: polynomials are multiplied by their values at the points, and at infinity (Toom, Cook)."""
    size = len(points) + 1

    def polynomial(roots: Iterable[Fraction | int]) -> list[float]:
        found = [Fraction(1)]
        for root in roots:
            found = [up - root * here for up, here in zip([0, *found], [*found, 0])]
        return [float(x) for x in found] + [0.0] * (size - len(found))

    others = [[q for q in points if q != p] for p in points]
    B = [polynomial(roots) for roots in [*others, points]]
    G = [[float(Fraction(p) ** k / prod(p - q for q in rest)) for k in range(taps)] for p, rest in zip(points, others)]
    A = [[float(p) ** k for k in range(outputs)] for p in points]
    return B, [*G, [0.0] * (taps - 1) + [1.0]], _turned([*A, [0.0] * (outputs - 1) + [1.0]])


def _turned(matrix: Matrix) -> Matrix:
    return list(zip(*matrix))


# by taps; the points are those that round least
TABLES = {taps: matrices([0, 1, -1, *more], TILE, taps) for taps, more in {2: [2], 3: [Fraction(1, 2), -2]}.items()}


@dataclass(frozen=True)
class Minimal:
    """A convolution of N images (C, H, W) with D filters (C, kernel, kernel), its transpose and its weight's gradient.

    Images and what comes out have channels last; tiles are (P, T, K): P products, T tiles, K = stride^2 C.
    """

    images: int
    channels: int
    height: int
    width: int
    filters: int
    kernel: int
    stride: int
    padding: int

    @property
    def fits(self) -> bool:
        """Whether what comes out can be cut into tiles."""
        outputs = (self._lines(side) - self.taps + 1 for side in (self.height, self.width))
        sides = (side + 2 * self.padding for side in (self.height, self.width))
        whole = self.kernel % self.stride == 0 and all(side % self.stride == 0 for side in sides)
        return whole and self.taps in TABLES and all(side > 0 and side % TILE == 0 for side in outputs)

    def pays(self, channels: int) -> bool:
        """Whether there are tiles enough, and as many channels as this, for a CPU to be quicker so."""
        enough = min(self.channels, self.filters) >= channels
        return enough and self.fits and self.images * self.rows * self.columns >= TILES

    @property
    def taps(self) -> int:
        """Of each of the stride^2 filters that a filter is made of, along a side."""
        return self.kernel // self.stride

    @property
    def points(self) -> int:
        """Products for a tile, along a side."""
        return self.taps + TILE - 1

    @property
    def rows(self) -> int:
        """Tiles from top to bottom."""
        return (self._lines(self.height) - self.taps + 1) // TILE

    @property
    def columns(self) -> int:
        """Tiles from left to right."""
        return (self._lines(self.width) - self.taps + 1) // TILE

    def convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve (N, C, H, W) with (D, C, kernel, kernel): (N, D, h, w)."""
        filters = self._split_filters(weight)
        y = _empty(x, self.images, self.filters, self.rows * TILE, self.columns * TILE)
        for some in self._chunks():
            self._merge_outputs(torch.bmm(self._split_inputs(x[some]), filters.mT), y[some].permute(0, 2, 3, 1))
        return y

    def transposed(self, y: Tensor, weight: Tensor) -> Tensor:
        """The transpose of that: (N, D, h, w) to (N, C, H, W)."""
        filters = self._split_filters(weight)
        x = _empty(y, self.images, self.channels, self.height, self.width)
        for some in self._chunks():
            self._merge_inputs(torch.bmm(self._split_outputs(y[some]), filters), x[some].permute(0, 2, 3, 1))
        return x

    def correlated(self, x: Tensor, y: Tensor) -> Tensor:
        """The gradient of the weight, where y (N, D, h, w) is that of what came out: (D, C, kernel, kernel)."""
        total = x.new_zeros(self.points**2, self.filters, self.stride**2 * self.channels)
        for some in self._chunks():
            total.baddbmm_(self._split_outputs(y[some]).mT, self._split_inputs(x[some]))
        return self._merge_filters(total)

    # Each of these is a linear map along rows and then along columns; `merge` of one kind is the transpose of `split`.

    def _split_inputs(self, x: Tensor) -> Tensor:
        s, p, B = self.stride, self.points, TABLES[self.taps][0]
        padded = F.pad(x, [self.padding] * 4) if self.padding else x
        lines = padded.permute(0, 2, 3, 1).contiguous().view(len(x), -1, s, padded.shape[3] // s, s * self.channels)
        high = x.new_empty(p, len(x), self.rows, *lines.shape[2:])
        _mix(B, self._windows(lines, 1, self.rows), high)
        tiles = x.new_empty(p, p, len(x), self.rows, self.columns, s, s * self.channels)
        _mix(B, self._windows(high, 4, self.columns), [tile.transpose(3, 4) for tile in tiles.unbind(1)])
        return tiles.view(p * p, -1, s * s * self.channels)

    def _merge_inputs(self, tiles: Tensor, x: Tensor) -> None:
        s, p, B = self.stride, self.points, _turned(TABLES[self.taps][0])
        tiles = tiles.view(p, p, len(x), self.rows, self.columns, s, s * self.channels)
        high = x.new_zeros(p, len(x), self.rows, s, self._lines(self.width), s * self.channels)
        _add(B, [tile.transpose(3, 4) for tile in tiles.unbind(1)], self._windows(high, 4, self.columns))
        lines = x.new_zeros(len(x), self._lines(self.height), *high.shape[3:])
        _add(B, high, self._windows(lines, 1, self.rows))
        whole = lines.view(len(x), lines.shape[1] * s, -1, self.channels)
        x.copy_(whole.narrow(1, self.padding, self.height).narrow(2, self.padding, self.width))

    def _split_outputs(self, y: Tensor) -> Tensor:
        p, A = self.points, _turned(TABLES[self.taps][2])
        cells = y.permute(0, 2, 3, 1).contiguous().view(len(y), self.rows, TILE, self.columns, TILE, -1)
        high = y.new_empty(p, len(y), self.rows, self.columns, TILE, self.filters)
        _mix(A, cells.unbind(2), high)
        tiles = y.new_empty(p, p, len(y), self.rows, self.columns, self.filters)
        _mix(A, high.unbind(4), tiles.unbind(1))
        return tiles.view(p * p, -1, self.filters)

    def _merge_outputs(self, tiles: Tensor, y: Tensor) -> None:
        p, A = self.points, TABLES[self.taps][2]
        tiles = tiles.view(p, p, len(y), self.rows, self.columns, self.filters)
        high = y.new_empty(TILE, p, len(y), self.rows, self.columns, self.filters)
        _mix(A, tiles, high)
        cells = y.view(len(y), self.rows, TILE, self.columns, TILE, self.filters)
        _mix(A, high.unbind(1), cells.permute(4, 2, 0, 1, 3, 5))

    def _split_filters(self, weight: Tensor) -> Tensor:
        s, p, G = self.stride, self.points, TABLES[self.taps][1]
        last = weight.permute(0, 2, 3, 1).contiguous().view(self.filters, self.taps, s, -1)
        high = weight.new_empty(p, self.filters, s, self.kernel * self.channels)
        _mix(G, last.unbind(1), high)
        found = weight.new_empty(p, p, self.filters, s, s * self.channels)
        _mix(G, high.view(p, self.filters, s, self.taps, -1).unbind(3), found.unbind(1))
        return found.view(p * p, self.filters, -1)

    def _merge_filters(self, found: Tensor) -> Tensor:
        s, p, G = self.stride, self.points, _turned(TABLES[self.taps][1])
        high = found.new_empty(p, self.filters, s, self.taps, s * self.channels)
        _mix(G, found.view(p, p, self.filters, s, -1).unbind(1), high.unbind(3))
        weight = found.new_empty(self.filters, self.taps, s, self.kernel * self.channels)
        _mix(G, high.view(p, self.filters, s, -1), weight.unbind(1))
        return weight.view(self.filters, self.kernel, self.kernel, self.channels).permute(0, 3, 1, 2)

    def _lines(self, side: int) -> int:
        """Every stride-th row or column, and those between them, count as one."""
        return (side + 2 * self.padding) // self.stride

    def _windows(self, lines: Tensor, dim: int, tiles: int) -> list[Tensor]:
        """What the first, the second, … input of all tiles along a dimension is."""
        last = TILE * (tiles - 1) + 1
        return [
            lines.narrow(dim, i, last)[(slice(None),) * dim + (slice(None, None, TILE),)] for i in range(self.points)
        ]

    def _chunks(self) -> Iterator[slice]:
        """Some images after the others."""
        channels = max(self.stride**2 * self.channels, self.filters)
        some = max(1, AT_ONCE // (self.points**2 * self.rows * self.columns * channels * 4))
        yield from (slice(i, i + some) for i in range(0, self.images, some))


def _empty(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _mix(matrix: Matrix, sources: Sequence[Tensor] | Tensor, targets: Sequence[Tensor] | Tensor) -> None:
    """Write `matrix` times the sources."""
    for row, target in zip(matrix, targets):
        (by, first), *rest = sorted(((by, i) for i, by in enumerate(row) if by), reverse=True)
        if by == 1 and rest:
            by, second = rest.pop(0)
            torch.add(sources[first], sources[second], alpha=by, out=target)
        else:
            torch.mul(sources[first], by, out=target)
        for by, i in rest:
            target.add_(sources[i], alpha=by)


def _add(matrix: Matrix, sources: Sequence[Tensor] | Tensor, targets: Sequence[Tensor]) -> None:
    """Add `matrix` times the sources to targets that overlap."""
    for row, target in zip(matrix, targets):
        for by, source in zip(row, sources):
            if by:
                target.add_(source, alpha=by)
