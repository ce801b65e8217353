"""A table of what variants are known by, and what its measures have in common."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Measure = Callable[[int, bool], float]  # of a seed; True: of the control


@dataclass(frozen=True)
class Signature:
    """A number that a variant must have, and its control must not."""

    variant: str
    what: str
    control: str
    threshold: float
    measure: Measure
    least: bool = True  # at least the threshold is good; False: at most

    def good(self, value: float) -> bool:
        """Tell whether the number is what it is known by."""
        return value >= self.threshold if self.least else value <= self.threshold


class Table(list[Signature]):
    """The signatures of a family."""

    def signature(
        self, variant: str, what: str, control: str, threshold: float, *, least: bool = True
    ) -> Callable[[Measure], Measure]:
        """Put a measure into the table."""

        def add(measure: Measure) -> Measure:
            self.append(Signature(variant, what, control, threshold, measure, least))
            return measure

        return add


@cache
def folder() -> Path:
    """A folder for pictures that are made on the way."""
    return Path(tempfile.mkdtemp(prefix="gancli-signatures-"))


@contextmanager
def replaced(owner: object, name: str, value: Any) -> Iterator[None]:
    """Put something else in a module's place for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def noise(seed: int, n: int, *size: int) -> Tensor:
    """Draw N(0, 1), (n, *size)."""
    return torch.randn(n, *size, generator=torch.Generator().manual_seed(seed))
