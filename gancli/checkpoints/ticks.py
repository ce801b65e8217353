"""The log of a run, metrics.jsonl: one JSON object a tick. Imports no torch."""

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
Numbers = dict[str, float | None]  # None: it was not finite


@dataclass(frozen=True)
class _Place:
    """Where training stood: every tick says it, and beside it every term, stat and metric by name."""

    step: Count
    images: Count
    seconds: Seconds


@dataclass(frozen=True)
class Log:
    """The ticks that could be read, and the numbers of the lines that could not."""

    ticks: list[dict[str, Any]]
    broken: list[int]


def parse(line: bytes) -> dict[str, Any]:
    """Read a line; raises ValueError for what is no tick."""
    if len(line) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} bytes")
    tick = parse_nulled(line.decode(), dict[str, Any])
    held_to(tick, _Place)
    held_to(tick, Numbers)
    return tick


def read(path: Path) -> Log:
    """Read a log; only a last line without an end, which a crash cut short, may be left out without a word.

    Raises UserError for what is no file of its own, or larger than any log.
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
