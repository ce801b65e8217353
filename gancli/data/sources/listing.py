"""Pictures that can be opened, listed; and how long such lists may be."""

import io
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from gancli.data.sources.decode import Item
from gancli.errors import UserError

MOST_MEMBERS = 2**18  # of an archive; to list more takes longer than to unpack them
MOST_LISTED = 2**25  # bytes that a zip's list of its members may take: 128 for each of as many


class Items(Sequence[Item]):
    """A list whose items are made when they are asked for, so that a million cost little."""

    @abstractmethod
    def item(self, index: int) -> Item:
        """Make an item."""

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        places = range(len(self))[index]
        return self.item(places) if isinstance(places, int) else [self.item(place) for place in places]


class Modest(io.BufferedReader):
    """A file of which no more than `most` bytes are read at once: whoever reads a list of members reads it whole."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(io.FileIO(path))
        self.most: int | None = most

    def __del__(self) -> None:
        self.close()  # archives are read as long as anybody has a member

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; raises UserError for too much at once."""
        if self.most is not None and size is not None and size > self.most:
            raise too_many()
        return super().read(size)


def too_many() -> UserError:
    """Say that an archive has too many members."""
    return UserError(f"it lists more than {MOST_MEMBERS:,} files: unpack it into a folder")
