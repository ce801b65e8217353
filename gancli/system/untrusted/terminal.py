"""What people read: every line passes here, so that nothing in a file can move the cursor, colour or hide text."""

import sys
from typing import Any

from gancli.system.untrusted.door import printable, to_json

LONGEST_LINE = 10_000  # characters


def line(text: object) -> str:
    """Make one line of a text that may come from a file."""
    return printable(str(text), LONGEST_LINE)


def say(text: object) -> None:
    """Print a line of the result."""
    print(line(text))


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a result for scripts: no NaN, and nothing that a terminal would obey."""
    print(to_json(value, indent))


def warn(text: object) -> None:
    """Print a line beside the result, on standard error."""
    print(f"gancli: {line(text)}", file=sys.stderr)


def tell(text: object) -> None:
    """Print a line about how far the work is, on standard error."""
    print(line(text), file=sys.stderr)
