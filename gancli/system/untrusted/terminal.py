"""Print text safely: every line passes here, so that no file can move the cursor or colour or hide text."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from gancli.system.untrusted.door import printable, to_json

LONGEST_LINE = 10_000  # characters


class _Voice:
    """What is printed: everything, or errors and JSON only."""

    quiet = False


def hush(quiet: bool) -> None:
    """Print errors and JSON only from now on, or everything again."""
    _Voice.quiet = quiet


def shows_progress() -> bool:
    """Return whether a person is there to see progress on standard error."""
    return not _Voice.quiet and sys.stderr.isatty()


def line(text: object) -> str:
    """Turn a text that may come from a file into one safe line."""
    return printable(str(text), LONGEST_LINE)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        yield "  ".join(cells).rstrip()


def say(text: object) -> None:
    """Print a line of the result."""
    if not _Voice.quiet:
        print(line(text))


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a result as JSON, without NaN and without control characters."""
    print(to_json(value, indent))


def warn(text: object) -> None:
    """Print a warning on standard error."""
    if not _Voice.quiet:
        fail(text)


def fail(text: object) -> None:
    """Print an error on standard error."""
    print(f"gancli: {line(text)}", file=sys.stderr)


def tell(text: object) -> None:
    """Print a line of progress on standard error."""
    if not _Voice.quiet:
        print(line(text), file=sys.stderr)
