"""Programs of others that show a run's numbers and grids while it trains: told the same as metrics.jsonl."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from gancli.system.untrusted.door import check_folder, reason

STEP, SAMPLES = "step", "samples"


@dataclass(frozen=True)
class Past:
    """What a run was when it was started or resumed: its step, its log until there, and the grid of that step."""

    step: int
    ticks: Sequence[Mapping[str, Any]]
    grid: Path | None = None


class Logger(Protocol):
    """One such program. It opens its files when the run begins, and raises whatever goes wrong."""

    name: str
    folder: Path

    def begin(self, past: Past) -> str:
        """Begin, or continue after the past without duplicates; return how to look at it."""
        ...

    def log(self, tick: Mapping[str, Any]) -> None:
        """Log the numbers of a step."""
        ...

    def grid(self, step: int, picture: Image.Image) -> None:
        """Log the sample grid of a step."""
        ...

    def back(self, step: int) -> None:
        """Forget what was logged after a step: training has returned to it."""
        ...

    def end(self) -> None:
        """Write what is still in memory."""
        ...


class Loggers:
    """Tell every logger of a run. One that fails is left out from then on: training never stops for it."""

    def __init__(self, loggers: Sequence[Logger], note: Callable[[str], None]) -> None:
        self._loggers, self._note = list(loggers), note

    def begin(self, past: Past) -> None:
        """Begin, and note how to look at it."""
        self._tell(lambda logger: self._note(f"{'log':<10}{_begun(logger, past)}"))

    def log(self, tick: Mapping[str, Any]) -> None:
        """Log the numbers of a step."""
        self._tell(lambda logger: logger.log(tick))

    def grid(self, step: int, picture: Image.Image) -> None:
        """Log the sample grid of a step."""
        self._tell(lambda logger: logger.grid(step, picture))

    def back(self, step: int) -> None:
        """Forget what was logged after a step: training has returned to it."""
        self._tell(lambda logger: logger.back(step))

    def end(self) -> None:
        """Write what is still in memory."""
        self._tell(lambda logger: logger.end())

    def _tell(self, tell: Callable[[Logger], object]) -> None:
        for logger in [*self._loggers]:
            try:
                tell(logger)
            except Exception as error:  # libraries raise all kinds
                self._loggers.remove(logger)
                self._note(
                    f"warning   --log {logger.name} failed ({reason(error)}): training continues without it; "
                    "metrics.jsonl has everything"
                )


def _begun(logger: Logger, past: Past) -> str:
    check_folder(logger.folder)  # a link in a run folder would lead elsewhere
    return logger.begin(past)


def numbers(tick: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a tick, without its step."""
    return {name: value for name, value in tick.items() if name != STEP and isinstance(value, int | float)}
