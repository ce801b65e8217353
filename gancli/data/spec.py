"""The shape of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


def halvings(height: int, width: int) -> int:
    """Count how often both sides halve until the shorter is 4 to 7 pixels; 0 when they do not, or are below 8."""
    count = max((min(height, width) // 4).bit_length() - 1, 0)
    return count if height % 2**count == 0 and width % 2**count == 0 else 0


@dataclass(frozen=True)
class DataSpec:
    """What networks need to know of the data; read from it once, and kept in every checkpoint."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()  # a label is an index into them
    domains: tuple[str, ...] = ()  # names of what is translated: A, B

    @property
    def points(self) -> bool:
        """Tell whether an image is a single pixel: a point, whose channels are its coordinates."""
        return self.height == self.width == 1

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Build it from what `dataclasses.asdict` and JSON made of it."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return cls(**plain)

    def check(self, most: int) -> None:
        """Raise ValueError for sizes that are no whole numbers from 1 to `most`, and names that are no strings."""
        sizes, names = (self.channels, self.height, self.width), (*self.classes, *self.domains)
        if not all(isinstance(size, int) and 1 <= size <= most for size in sizes):
            raise ValueError(f"{self.width}x{self.height} with {self.channels} channels is not a valid image size")
        if not all(isinstance(name, str) for name in names) or {type(self.classes), type(self.domains)} != {tuple}:
            raise ValueError("its classes and domains must be lists of names")
