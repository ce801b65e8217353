"""The table of signatures, and what their measures share."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Measure = Callable[[int, bool], float]  # gets a seed, and True for the control


@dataclass(frozen=True)
class Signature:
    """A measure with a threshold that a variant meets, and its control does not."""

    variant: str
    what: str
    control: str
    threshold: float
    measure: Measure
    least: bool = True  # True: the threshold is a minimum; False: a maximum

    def good(self, value: float) -> bool:
        """Return whether a value meets the threshold."""
        return value >= self.threshold if self.least else value <= self.threshold


class Table(list[Signature]):
    """The signatures of a family."""

    def signature(
        self, variant: str, what: str, control: str, threshold: float, *, least: bool = True
    ) -> Callable[[Measure], Measure]:
        """Return a decorator that adds a measure to the table."""

        def add(measure: Measure) -> Measure:
            self.append(Signature(variant, what, control, threshold, measure, least))
            return measure

        return add


@cache
def folder() -> Path:
    """Return a folder for temporary images."""
    return Path(tempfile.mkdtemp(prefix="gancli-signatures-"))


@contextmanager
def replaced(owner: object, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def noise(seed: int, n: int, *size: int) -> Tensor:
    """Sample N(0, 1), (n, *size)."""
    return torch.randn(n, *size, generator=torch.Generator().manual_seed(seed))
