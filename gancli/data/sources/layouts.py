"""How the folders of data sets with two domains are laid out."""

from collections.abc import Iterator
from pathlib import Path

from gancli.data.request import Request
from gancli.errors import UserError


def split_of(data: str, split: str) -> str:
    """The sub-folder of a split, where a folder has one of that name."""
    below = Path(data).expanduser() / split
    return str(below) if below.is_dir() else data


def two_of(folders: tuple[str, ...], request: Request) -> tuple[int, int]:
    """Choose the two sub-folders that are the domains; raises UserError when it is not clear which."""
    if len(folders) == 2:
        return 0, 1
    for names in _usual(request.split):
        found = [folders.index(name) for name in names if name in folders]
        if len(found) == 2:
            return found[0], found[1]
    there = f"it has {len(folders)}: {', '.join(folders[:6])}" if folders else "it has none with images"
    raise UserError(f"--data {request.data}: two domains want two sub-folders, {there}; or give --data-b FOLDER")


def _usual(split: str) -> Iterator[tuple[str, str]]:
    yield f"{split}A", f"{split}B"
    yield "A", "B"
