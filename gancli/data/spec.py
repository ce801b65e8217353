"""The shape of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


def halvings(height: int, width: int) -> int:
    """Count how often both sides can be halved until the shorter is 4 to 7 pixels; 0 if they cannot, or are below 8."""
    count = max((min(height, width) // 4).bit_length() - 1, 0)
    return count if height % 2**count == 0 and width % 2**count == 0 else 0


@dataclass(frozen=True)
class DataSpec:
    """What networks need to know about the data; found once, and stored in every checkpoint."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()  # a label is an index into this tuple
    domains: tuple[str, ...] = ()  # names of the translation domains: A, B

    @property
    def points(self) -> bool:
        """Whether the data are points: images of a single pixel whose channels are coordinates."""
        return self.height == self.width == 1

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Build it from the JSON of `dataclasses.asdict`."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return cls(**plain)

    def check(self, most: int) -> None:
        """Raise ValueError unless all sizes are whole numbers from 1 to `most` and all names are strings."""
        sizes, names = (self.channels, self.height, self.width), (*self.classes, *self.domains)
        if not all(isinstance(size, int) and 1 <= size <= most for size in sizes):
            raise ValueError(f"{self.width}x{self.height} with {self.channels} channels is not a valid image size")
        if not all(isinstance(name, str) for name in names) or {type(self.classes), type(self.domains)} != {tuple}:
            raise ValueError("its classes and domains must be lists of names")
