"""The micro-batches of a training step, which share the random numbers that the whole batch would use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_now: "tuple[Parts, int] | None" = None  # the step's micro-batches, and the index of the one being computed


class Parts:
    """The micro-batches of one training step; all of them ask for noise in the same order."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._asked = [0] * count  # how often each micro-batch has asked for noise
        self._drawn: dict[int, Tensor] = {}  # noise drawn by the first to ask, kept until the last has used it

    @contextmanager
    def playing(self, index: int) -> Iterator[None]:
        """Compute the micro-batch `index` in the block."""
        with _set((self, index) if self.count > 1 else None):
            yield

    def draw(self, index: int, draw: Callable[[], Tensor]) -> Tensor:
        """Return the noise that the first micro-batch drew at the same point of the step."""
        place = self._asked[index]
        self._asked[index] += 1
        if place not in self._drawn:
            self._drawn[place] = draw()
        return self._drawn.pop(place) if index == self.count - 1 else self._drawn[place]


def count() -> int:
    """Return the number of micro-batches per step."""
    return _now[0].count if _now else 1


def index() -> int:
    """Return the index of the micro-batch that is being computed."""
    return _now[1] if _now else 0


def together(draw: Callable[[], Tensor]) -> Tensor:
    """Draw random numbers once for all micro-batches of a step."""
    return _for_all(draw) if _now else draw()  # pyright: ignore[reportReturnType]  disable is untyped


def _for_all(draw: Callable[[], Tensor]) -> Tensor:
    assert _now
    return _now[0].draw(_now[1], draw)


def keep_out_of_compiled_code() -> None:
    """Exclude drawing from compiled code. Called only when compiling: a decorator would always load the compiler."""
    global _for_all
    if not _for_all.__dict__.get("_torchdynamo_disable"):
        outside: Any = torch.compiler.disable(_for_all)
        _for_all = outside


@contextmanager
def aside() -> Iterator[None]:
    """Compute the block outside of any micro-batch."""
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
