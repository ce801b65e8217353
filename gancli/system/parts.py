"""The micro-batches of a training step: what the batch draws at random they draw together, as the whole would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_now: "tuple[Parts, int] | None" = None  # the micro-batch whose turn is computed, and those that it belongs to


class Parts:
    """The micro-batches of one training step, whose games advance in lockstep and ask for noise in the same order."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._asked = [0] * count  # times that each has asked for noise
        self._drawn: dict[int, Tensor] = {}  # what the first to ask has drawn, until the last has its share

    @contextmanager
    def playing(self, index: int) -> Iterator[None]:
        """Compute the micro-batch `index` in the block."""
        with _set((self, index) if self.count > 1 else None):
            yield

    def draw(self, index: int, draw: Callable[[], Tensor]) -> Tensor:
        """Return what the first micro-batch drew when it was where this one is."""
        place = self._asked[index]
        self._asked[index] += 1
        if place not in self._drawn:
            self._drawn[place] = draw()
        return self._drawn.pop(place) if index == self.count - 1 else self._drawn[place]


def count() -> int:
    """Return the number of micro-batches that the batch is computed in."""
    return _now[0].count if _now else 1


def index() -> int:
    """Return the number of the micro-batch that is computed."""
    return _now[1] if _now else 0


def together(draw: Callable[[], Tensor]) -> Tensor:
    """Draw once for all micro-batches of a step."""
    return _for_all(draw) if _now else draw()  # pyright: ignore[reportReturnType]  disable is untyped


def _for_all(draw: Callable[[], Tensor]) -> Tensor:
    assert _now
    return _now[0].draw(_now[1], draw)


def keep_out_of_compiled_code() -> None:
    """Draw outside of what is compiled. Called where anything is: the decorator would load the compiler for all."""
    global _for_all
    if not _for_all.__dict__.get("_torchdynamo_disable"):
        outside: Any = torch.compiler.disable(_for_all)
        _for_all = outside


@contextmanager
def aside() -> Iterator[None]:
    """Take what is computed in the block for no part of a batch."""
    with _set(None):
        yield


@contextmanager
def _set(value: "tuple[Parts, int] | None") -> Iterator[None]:
    global _now
    before, _now = _now, value
    try:
        yield
    finally:
        _now = before
