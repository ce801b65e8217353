"""Lists of images that can be opened, and limits on their length."""

import io
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, overload

from gancli.data.sources.decode import Item
from gancli.errors import UserError
from gancli.system.untrusted.door import printable

MOST_MEMBERS = 2**18  # of an archive; listing more takes longer than unpacking them
MOST_NAMED = 3  # ignored files in a note
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


class Listed(NamedTuple):
    """The images of a folder or an archive, before they are decoded."""

    items: Sequence[Item]
    classes: list[str]  # the sub-folders, if they are classes
    key: list[object]  # changes when any file does
    notes: tuple[str, ...] = ()  # about files that are not read


class Ignored:
    """Counts the files beside images that are not read."""

    def __init__(self) -> None:
        self.others, self._hidden = list[str](), 0

    def other(self, name: str) -> None:
        """Count a file that is not an image."""
        self.others.append(name)

    def hidden(self) -> None:
        """Count a hidden file or folder."""
        self._hidden += 1

    def notes(self) -> tuple[str, ...]:
        """Return a note about them; none if there are none."""
        named, count = printable(", ".join(self.others[:MOST_NAMED])), len(self.others)
        more = " …" if count > MOST_NAMED else ""
        kind = "is not an image" if count == 1 else "are not images"
        parts = [f"{count:,} that {kind} ({named}{more})"] if count else []
        parts += [f"{self._hidden:,} hidden"] if self._hidden else []
        return (f"files ignored: {' and '.join(parts)}",) if parts else ()


def layout(names: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the classes of paths: their top folders, if there are at least two and no files beside them.

    A note tells that there are files beside them.
    """
    tops = {top if below else "" for top, below, _ in (name.partition("/") for name in names)}
    if len(tops) < 2:
        return [], ()
    beside = ("images stand beside the sub-folders, so these are not classes",)
    return ([], beside) if "" in tops else (sorted(tops), ())


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
