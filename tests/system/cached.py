"""What tests of the cache share: its entries, a file cut short, and a program that opens data."""

import os
from pathlib import Path

OPEN = """
import sys
from gancli.data.request import Request; from gancli.data.sources.open import open_source
from gancli.errors import UserError
try:
    print(open_source(Request(sys.argv[1])).digest)
except UserError as error:
    sys.exit(print(error, file=sys.stderr) or 2)
"""


def entries(place: Path) -> list[Path]:
    return sorted(path for path in (place / "images").iterdir() if not path.name.startswith("."))


def rows(entry: Path) -> Path:
    return max(entry.iterdir(), key=lambda file: file.stat().st_size)


def shorter(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)
