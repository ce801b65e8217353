"""The folder layouts of data sets with two domains."""

from collections.abc import Iterator

from gancli.data.request import Request
from gancli.errors import UserError
from gancli.system.untrusted.names import expanded


def split_of(data: str, split: str) -> str:
    """Return the sub-folder of a split if the folder has one, else the folder itself."""
    below = expanded(data) / split
    return str(below) if below.is_dir() else data


def two_of(folders: tuple[str, ...], request: Request) -> tuple[int, int]:
    """Choose the two sub-folders that hold the domains; raise UserError if the choice is ambiguous."""
    if len(folders) == 2:
        return 0, 1
    for names in _usual(request.split):
        found = [folders.index(name) for name in names if name in folders]
        if len(found) == 2:
            return found[0], found[1]
    there = f"it has {len(folders)}: {', '.join(folders[:6])}" if folders else "but it has none with images"
    raise UserError(f"--data {request.data}: two domains need two sub-folders, {there}; or give --data-b FOLDER")


def _usual(split: str) -> Iterator[tuple[str, str]]:
    yield f"{split}A", f"{split}B"
    yield "A", "B"
