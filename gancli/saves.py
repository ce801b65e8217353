"""What a run writes while it trains. A full or lost disk stops no training: it is said, and tried again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gancli import checkpoint
from gancli.errors import UserError
from gancli.run import RESUMABLE, Folder

RETRY_SECONDS = 30  # until a checkpoint that could not be written is tried again


class Saves:
    """Writes the files of a run, and remembers which of them could not be written."""

    def __init__(self, folder: Folder, keep: int, begin: Callable[[], None], note: Callable[[str], None]) -> None:
        self._folder, self._keep, self._begin, self._note = folder, keep, begin, note
        self._unlogged: list[dict[str, Any]] = []
        self.failing: dict[str, str] = {}  # what cannot be written, and why

    def begin(self, step: int) -> None:
        """Write what a run begins with, and forget the log after a step; raises UserError where that is not allowed."""
        try:
            self._begin()
            self._folder.rewind(step)
        except OSError as error:
            raise UserError(f"--out {self._folder.path} cannot be written to: {error.strerror or error}") from None

    def attempt(self, what: str, write: Callable[[], object]) -> bool:
        """Write something; false, and a warning when it is the first, when the system does not let us."""
        try:
            write()
        except OSError as error:
            reason = error.strerror or str(error)
            if self.failing.get(what) != reason:
                self._note(f"warning   {what} cannot be written ({reason}): training goes on, and it is tried again")
            self.failing[what] = reason
            return False
        if self.failing.pop(what, None):
            self._note(f"written   {what} can be written again")
        return True

    @property
    def failure(self) -> str:
        """Say what is failing, and what there is to go on from."""
        reasons = "; ".join(f"{what} ({why})" for what, why in self.failing.items())
        whole = [path.name for path in reversed(self._folder.checkpoints()) if checkpoint.resumes(path)]
        left = f"--resume goes on from {whole[0]}" if whole else "no checkpoint was written before"
        return f"{reasons}; {left}"

    def log(self, tick: dict[str, Any]) -> None:
        """Add a line to the log, after those that could not be written before."""
        self._unlogged.append(tick)
        if self.attempt("the log", lambda: self._folder.append(self._unlogged)):
            self._unlogged = []

    def save(self, images: int, write: Callable[[Path], None]) -> bool:
        """Write a checkpoint; then, and only then, the older ones make room."""

        def whole() -> None:
            if not self._folder.about.is_file():  # someone has removed the folder
                self._begin()
            write(self._folder.checkpoint(images))

        return self.attempt("a checkpoint", whole) and self.attempt("older checkpoints", self._make_room)

    def _make_room(self) -> None:
        kept = self._folder.checkpoints()
        for path in kept[: -self._keep]:
            path.unlink(missing_ok=True)
        for path in kept[-self._keep : -RESUMABLE]:
            checkpoint.strip(path)
