"""The log of a run, metrics.jsonl: one JSON object per tick. Imports no torch."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from gancli.system.untrusted.door import check_regular, held_to, parse_nulled, read_bytes, reading

LARGEST = 2**28  # bytes of a log: some hundred thousand ticks
LONGEST = 2**20  # bytes of a line

Count = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=2**53)]
Numbers = dict[str, float | None]  # None stands for a value that was not finite


@dataclass(frozen=True)
class _Place:
    """The progress of training that every tick records, besides its terms, stats and metrics."""

    step: Count
    images: Count
    seconds: Seconds


@dataclass(frozen=True)
class Log:
    """The ticks that could be read, and the numbers of the lines that could not."""

    ticks: list[dict[str, Any]]
    broken: list[int]


def parse(line: bytes) -> dict[str, Any]:
    """Parse a line of the log; raise ValueError if it is not a tick."""
    if len(line) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} bytes")
    tick = parse_nulled(line.decode(), dict[str, Any])
    held_to(tick, _Place)
    held_to(tick, Numbers)
    return tick


def read(path: Path) -> Log:
    """Read a log; a last line that a crash cut short is skipped and does not count as broken.

    Raise UserError if the path is not a regular file, or larger than any log.
    """
    log = Log([], [])
    if not os.path.lexists(path):
        return log
    check_regular(path, follow=False)
    with reading(str(path)):
        *lines, last = read_bytes(path, LARGEST).split(b"\n")
    for number, line in enumerate([*lines, last], start=1):
        try:
            if line.strip():
                log.ticks.append(parse(line))
        except ValueError:
            if number <= len(lines):
                log.broken.append(number)
    return log
