"""Keep the warnings of a run in its folder, one JSON object a line: a report shows them. Imports no torch."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gancli.checkpoints.run_folder import Folder
from gancli.checkpoints.ticks import Count
from gancli.gan import Clock
from gancli.system import atomic
from gancli.system.untrusted.door import check_regular, parse_json, read_bytes, reading, to_json
from gancli.training.output.display import Quiet

WARNING = "warning   "  # how notes that are warnings begin
LARGEST = 2**22  # bytes that are read


@dataclass(frozen=True)
class KeptWarning:
    """A warning and how many images training had seen."""

    images: Count
    text: str


class KeepsWarnings(Quiet):
    """A display of a run that also writes its warnings into the run folder."""

    def __init__(self, display: Quiet, folder: Folder) -> None:
        self._display, self._folder, self._images = display, folder, 0

    def note(self, text: str) -> None:
        """Show a message, and keep it if it is a warning."""
        self._display.note(text)
        if text.startswith(WARNING):
            line = to_json({"images": self._images, "text": text.removeprefix(WARNING)}) + "\n"
            with suppress(OSError):  # a full or lost disk is reported for the files that training needs
                atomic.append_text(self._folder.warnings, line)

    def working(self, name: str, done: int, of: int) -> None:
        """Show the progress of other work."""
        self._display.working(name, done, of)

    def advance(self, clock: Clock) -> None:
        """Show a training step."""
        self._images = clock.images
        self._display.advance(clock)

    def tick(self, tick: Mapping[str, Any]) -> None:
        """Show new means."""
        self._display.tick(tick)


def read(folder: Folder) -> list[KeptWarning]:
    """Read the warnings of a run, without damaged lines; none of runs of older versions, which did not keep them."""
    path, found = folder.warnings, list[KeptWarning]()
    if not os.path.lexists(path):
        return found
    check_regular(path, follow=False)
    with reading(str(path)):
        lines = read_bytes(path, LARGEST).splitlines()
    for line in lines:
        with suppress(ValueError):
            found.append(parse_json(line, KeptWarning))
    return found
