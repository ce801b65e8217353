"""Check input from others: typed JSON, regular files, text that is safe to print.

All exceptions of file readers become one UserError here, so no caller needs to know them.
"""

import json
import math
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gancli.errors import UserError

T = TypeVar("T")

LARGEST_JSON = 2**26  # bytes: far more than any file that gancli writes, far less than a machine's memory
LONGEST = 200  # characters of foreign text in one message


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file as a value of `kind`: a dataclass with annotated fields, a dict of numbers, …

    Raise UserError if it is not a regular file, too large, not JSON, not finite, or of another type or range.
    """
    check_regular(path)
    with reading(str(path)):
        return parse_json(read_bytes(path, LARGEST_JSON), kind)


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes; raise ValueError if it is larger, before it takes memory."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data


def parse_json(text: str | bytes, kind: type[T]) -> T:
    """Parse JSON as a value of a type; raise ValueError, with the place, if it does not match or is not finite.

    msgspec's own parser is not used: it rejects JSON escapes of file names that are not UTF-8.
    """
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    return held_to(value, kind)


def parse_nulled(text: str | bytes, kind: type[T]) -> T:
    """Parse JSON like `parse_json`, but read NaN and infinity, which older versions wrote, as null."""
    try:
        value = _nulled(json.loads(text))
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    return held_to(value, kind)


def held_to(value: Any, kind: type[T]) -> T:
    """Check plain values (dicts, lists, strings, numbers) against a type; raise ValueError, with the place, if wrong.

    Nothing is converted: true is not an int, "1" not a number, 1.0 not an int. Fields that the type lacks are ignored.
    """
    try:
        return msgspec.convert(value, kind)
    except (RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number


def to_json(value: Any, indent: int | None = None) -> str:
    """Format a value as JSON: NaN and infinity become null, and control characters are escaped."""
    text = json.dumps(_nulled(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return re.sub(r"[^\n -~]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def _nulled(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _nulled(item) for key, item in value.items()}
    return [_nulled(item) for item in value] if isinstance(value, list | tuple) else value


def check_regular(path: Path, *, follow: bool = True) -> None:
    """Raise UserError if the path exists but is not a regular file: a pipe or a device could block forever.

    If `follow` is False, refuse links too: in a run folder they would redirect reading, stripping and pruning.
    """
    try:
        mode = path.stat(follow_symlinks=follow).st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is {_kind(mode)}, but a file is expected here")


def check_folder(path: Path) -> None:
    """Raise UserError if the path exists but is not a folder: a link would redirect writing and removing."""
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(mode := path.stat(follow_symlinks=False).st_mode):
            raise UserError(f"{path} is {_kind(mode)}, but a folder is expected here")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISREG: "a file",
        stat.S_ISDIR: "a folder",
        stat.S_ISLNK: "a link",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    return next((name for test, name in kinds.items() if test(mode)), "not a regular file")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn any exception while reading a file into one UserError that names it: libraries raise all kinds."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what} cannot be read: {reason(error)}") from error


def why(error: UserError) -> str:
    """Return a short reason why `reading` failed, without the name of the file."""
    return reason(error.__cause__ or error)


def reason(error: BaseException) -> str:
    """Return a short reason why something failed."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    said = re.sub(r" <_io\.\w+ object at 0x[0-9a-f]+>", "", said)  # Pillow's name of a file in memory
    return printable(" ".join(said.split())) or type(error).__name__


def printable(text: str, most: int = LONGEST) -> str:
    """Make foreign text safe for a terminal: no control, escape or direction characters, and of limited length.

    Other characters are escaped as in Python, so they can still be read.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
