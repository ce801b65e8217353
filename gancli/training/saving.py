"""What a run writes while it trains. A full or lost disk stops no training: it is said, and tried again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import RESUMABLE, Folder
from gancli.errors import UserError
from gancli.system import atomic

RETRY_SECONDS = 30  # until a checkpoint that could not be written is tried again


class Saves:
    """Writes the files of a run, and remembers which of them could not be written."""

    def __init__(self, folder: Folder, keep: int, begin: Callable[[], None], note: Callable[[str], None]) -> None:
        self._folder, self._keep, self._begin, self._note = folder, keep, begin, note
        self._unlogged: list[dict[str, Any]] = []
        self._gone = False
        self.failing: dict[str, str] = {}  # what cannot be written, and why

    def begin(self, step: int) -> None:
        """Write what a run begins with, and forget the log after a step; raises UserError where that is not allowed."""
        try:
            self._begin()
            self._folder.tidy()
            damaged = self._folder.rewind(step)
        except OSError as error:
            raise UserError(f"--out {self._folder.path} cannot be written to: {error.strerror or error}") from None
        if damaged:
            self._note(f"damaged   {damaged}")

    def attempt(self, what: str, write: Callable[[], object]) -> bool:
        """Write something; false, and a warning when it is the first, when the system does not let us."""
        try:
            atomic.check_held(self._folder.path)
            self._folder.check()
            write()
        except (OSError, UserError) as error:
            self._fail(what, error)
            return False
        self._gone = False
        if self.failing.pop(what, None):
            self._note(f"written   {what} can be written again")
        return True

    def _fail(self, what: str, error: OSError | UserError) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        gone, before = isinstance(error, atomic.Gone), self.failing.get(what)
        if before != reason and not (gone and self._gone):  # that the folder is gone is said once, not for each file
            self._note(f"warning   {what} cannot be written ({reason}): training goes on, and it is tried again")
        self.failing[what], self._gone = reason, gone

    @property
    def failure(self) -> str:
        """Say what is failing, and what there is to go on from."""
        reasons = "; ".join(f"{what} ({why})" for what, why in self.failing.items())
        if self._gone:
            return f"{reasons}; with the folder back at {self._folder.path}, --resume goes on from what was saved in it"
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
            if not self._folder.about.is_file():  # someone has emptied the folder
                self._begin()
            write(self._folder.checkpoint(images))

        return self.attempt("a checkpoint", whole) and self.attempt("older checkpoints", self._make_room)

    def _make_room(self) -> None:
        """Remove and strip checkpoints that are older; what only has the name of one is nobody's to remove."""
        kept = [path for path in self._folder.checkpoints() if checkpoint.is_one(path)]
        for path in kept[: -self._keep]:
            path.unlink(missing_ok=True)
        for path in kept[-self._keep : -RESUMABLE]:
            try:
                checkpoint.strip(path)
            except UserError:
                self._note(f"damaged   {path.name} is set aside as {atomic.set_aside(path).name}")
