"""Lists of images that can be opened, and limits on their length."""

import io
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from gancli.data.sources.decode import Item
from gancli.errors import UserError

MOST_MEMBERS = 2**18  # of an archive; listing more takes longer than unpacking them
MOST_LISTED = 2**25  # bytes that a zip's list of members may take: 128 for each


class Items(Sequence[Item]):
    """A list whose items are made on access, so that a million cost little."""

    @abstractmethod
    def item(self, index: int) -> Item:
        """Return the item at an index."""

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        places = range(len(self))[index]
        return self.item(places) if isinstance(places, int) else [self.item(place) for place in places]


class Modest(io.BufferedReader):
    """A file that reads at most `most` bytes at once: readers of archives read the whole list of members in one go."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(io.FileIO(path))
        self.most: int | None = most

    def __del__(self) -> None:
        self.close()  # archives stay open as long as anything refers to a member

    def read(self, size: int | None = -1, /) -> bytes:
        """Read; raise UserError for too many bytes at once."""
        if self.most is not None and size is not None and size > self.most:
            raise too_many()
        return super().read(size)


def too_many() -> UserError:
    """Return the error for an archive with too many members."""
    return UserError(f"it lists more than {MOST_MEMBERS:,} files: unpack it into a folder")
