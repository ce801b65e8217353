"""Write a run's files during training. A full or lost disk does not stop training: writing is retried."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import RESUMABLE, Folder
from gancli.errors import UserError
from gancli.system import atomic

RETRY_SECONDS = 30  # before writing a failed checkpoint is retried


class Saves:
    """Write the files of a run, and remember which could not be written."""

    def __init__(self, folder: Folder, keep: int, begin: Callable[[], None], note: Callable[[str], None]) -> None:
        self._folder, self._keep, self._begin, self._note = folder, keep, begin, note
        self._unlogged: list[dict[str, Any]] = []
        self._gone = False
        self.failing: dict[str, str] = {}  # files that cannot be written, and why

    def begin(self, step: int) -> None:
        """Write a run's first files and drop log lines after `step`. Raise UserError if the folder is not writable."""
        try:
            self._begin()
            self._folder.tidy()
            damaged = self._folder.rewind(step)
        except OSError as error:
            raise UserError(f"--out {self._folder.path} cannot be written to: {error.strerror or error}") from None
        if damaged:
            self._note(f"damaged   {damaged}")

    def attempt(self, what: str, write: Callable[[], object]) -> bool:
        """Write a file; if that fails, warn (once per reason) and return False."""
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
        if before != reason and not (gone and self._gone):  # warn about a missing folder once, not for each file
            self._note(f"warning   {what} cannot be written ({reason}): training continues; will retry")
        self.failing[what], self._gone = reason, gone

    @property
    def failure(self) -> str:
        """Describe what cannot be written, and where --resume can continue."""
        reasons = "; ".join(f"{what} ({why})" for what, why in self.failing.items())
        if self._gone:
            return (
                f"{reasons}; restore the folder {self._folder.path}, then --resume continues from what was saved in it"
            )
        whole = [path.name for path in reversed(self._folder.checkpoints()) if checkpoint.resumes(path)]
        left = f"--resume continues from {whole[0]}" if whole else "no checkpoint has been written"
        return f"{reasons}; {left}"

    def log(self, tick: dict[str, Any]) -> None:
        """Append a line to the log, after any lines that could not be written earlier."""
        self._unlogged.append(tick)
        if self.attempt("the log", lambda: self._folder.append(self._unlogged)):
            self._unlogged = []

    def log_scores(self, tick: dict[str, Any]) -> None:
        """Add a line of scores, replacing the same scores of that step if a finished run is evaluated again."""

        def said_before() -> None:
            ticks = self._folder.ticks()
            others = [old for old in ticks if (old["step"], old.keys()) != (tick["step"], tick.keys())]
            if len(others) < len(ticks):
                self._folder.rewrite(others)

        if self.attempt("the log", said_before):
            self.log(tick)
        else:
            self._unlogged.append(tick)

    def save(self, images: int, write: Callable[[Path], None]) -> bool:
        """Write a checkpoint; only after that succeeds, remove or strip older ones."""

        def whole() -> None:
            if not self._folder.about.is_file():  # the folder was emptied
                self._begin()
            write(self._folder.checkpoint(images))

        return self.attempt("a checkpoint", whole) and self.attempt("older checkpoints", self._make_room)

    def _make_room(self) -> None:
        """Remove or strip older checkpoints; keep files that are not checkpoints despite their names."""
        kept = [path for path in self._folder.checkpoints() if checkpoint.is_one(path)]
        for path in kept[: -self._keep]:
            path.unlink(missing_ok=True)
        for path in kept[-self._keep : -RESUMABLE]:
            try:
                checkpoint.strip(path)
            except UserError:
                self._note(f"damaged   {path.name} was renamed to {atomic.set_aside(path).name}")
