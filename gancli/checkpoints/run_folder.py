"""The folder of a run and its files, and the names of runs. Imports no torch."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta

from gancli.checkpoints import ticks
from gancli.errors import UserError
from gancli.system import atomic
from gancli.system.untrusted.door import (
    LARGEST_JSON,
    check_folder,
    check_regular,
    held_to,
    parse_nulled,
    read_bytes,
    reading,
    to_json,
)

RUNS = Path("runs")
CHECKPOINTS, SAMPLES = "checkpoints", "samples"  # folders of a run
NUMBER = re.compile("[0-9]{9,18}")  # the file names: images seen
MOST_IMAGES = 2**53  # in a run: the largest count that JSON numbers hold exactly
RESUMABLE = 2  # the newest checkpoints that keep all that training needs; older ones keep only inference weights

Named = Annotated[dict[Annotated[str, Meta(max_length=200)], Any], Meta(max_length=1000)]  # settings, versions, …


class _HParams(TypedDict):
    """The hyperparameters of a run that are read before all of them are compared."""

    batch: Annotated[int, Meta(ge=1, le=2**31)]


@dataclass(frozen=True)
class Measured:
    """A length given in minutes, and the number of images that the machine at that time would process in it."""

    minutes: Annotated[float, Meta(ge=0)]
    images: Annotated[int, Meta(ge=0, le=MOST_IMAGES)]


@dataclass(frozen=True)
class Started:
    """The checkpoint that a run started from: its name as given, its file and the first digits of its sha256."""

    model: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Recorded:
    """The fields of run.json that are read again; older versions did not write all of them."""

    variant: str
    hparams: Named
    data: str | None = None
    digest: str | None = None  # of the content of the data
    folder: str | None = None  # the working directory, which relative paths start from
    spec: dict[str, Any] | None = None
    seed: int | None = None
    precision: Literal["fp32", "bf16"] | None = None
    source: str | None = None
    suited: Named = field(default_factory=dict)  # the preset
    measured: Measured | None = None  # set if the length was given in minutes
    start: Started | None = None  # set if it did not start from random weights
    freeze_d: Annotated[int, Meta(ge=0, le=1000)] = 0

    def __post_init__(self) -> None:
        held_to(self.hparams, _HParams)


@dataclass(frozen=True)
class Folder:
    """The files of a run."""

    path: Path

    @property
    def about(self) -> Path:
        """The file with everything needed to repeat the run."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """The log: one JSON object per tick."""
        return self.path / "metrics.jsonl"

    @property
    def warnings(self) -> Path:
        """The warnings: one JSON object per line; the file is missing if there were none."""
        return self.path / "warnings.jsonl"

    @property
    def reals(self) -> Path:
        """A grid of real images."""
        return self.path / "reals.png"

    @property
    def curves(self) -> Path:
        """Terms and metrics over the images seen."""
        return self.path / "curves.png"

    @property
    def best(self) -> Path:
        """The best checkpoint by metric."""
        return self.path / CHECKPOINTS / "best.safetensors"

    def grid(self, images: int) -> Path:
        """The grid of samples after a number of images seen."""
        return self.path / SAMPLES / f"{images:09d}.png"

    def checkpoint(self, images: int) -> Path:
        """The checkpoint after a number of images seen."""
        return self.path / CHECKPOINTS / f"{images:09d}.safetensors"

    def checkpoints(self) -> list[Path]:
        """List the numbered checkpoints, oldest first."""
        found = (self.path / CHECKPOINTS).glob("*.safetensors")
        return sorted((path for path in found if NUMBER.fullmatch(path.stem)), key=seen)

    @property
    def holds_run(self) -> bool:
        """Whether it is the folder of a run, and not one of images, say."""
        return os.path.lexists(self.about) or os.path.lexists(self.path / CHECKPOINTS)

    def check(self) -> None:
        """Raise UserError if a file of the run is a link or a pipe, which could lead elsewhere or block."""
        for name in (CHECKPOINTS, SAMPLES):
            check_folder(self.path / name)
        numbered = (path for name in (CHECKPOINTS, SAMPLES) for path in (self.path / name).glob("[0-9]*"))
        files = (path for path in numbered if NUMBER.fullmatch(path.stem))
        for path in (self.about, self.log, self.warnings, self.reals, self.curves, self.best, *files):
            if os.path.lexists(path):
                check_regular(path, follow=False)

    def read_about(self) -> Recorded | None:
        """Read run.json; return None if the folder holds no run.

        Raise UserError if it is damaged, or missing although other files of a run are there.
        """
        try:
            if os.path.lexists(self.about):
                check_regular(self.about, follow=False)
                with reading(str(self.about)):
                    return parse_nulled(read_bytes(self.about, LARGEST_JSON), Recorded)
        except UserError as error:
            raise UserError(f"{error}: restore it{self._or_else()}") from None
        if written := self._written():
            raise UserError(f"{self.path} holds {', '.join(written)} but no run.json: restore it{self._or_else()}")
        return None

    def _written(self) -> list[str]:
        """Name the files of a run that exist, except run.json; empty folders do not count."""
        files = [path.name for path in (self.log, self.reals, self.curves) if os.path.lexists(path)]
        folders = [path for path in (self.path / CHECKPOINTS, self.path / SAMPLES) if os.path.lexists(path)]
        return [*files, *(path.name for path in folders if not path.is_dir() or any(path.iterdir()))]

    def _or_else(self) -> str:
        kept = self.checkpoints()
        use = f"; gancli sample {kept[-1]} needs only that file" if kept else ""
        return f", or give another --out to begin a new run{use}"

    def append(self, ticks: Sequence[dict[str, Any]]) -> None:
        """Add lines to the log."""
        atomic.append_text(self.log, _lines(ticks))

    def ticks(self) -> list[dict[str, Any]]:
        """Read the log without its damaged lines."""
        return ticks.read(self.log).ticks

    def seconds(self) -> float:
        """Return how long the run has trained, according to its log."""
        return next((tick["seconds"] for tick in reversed(self.ticks())), 0.0)

    def rewind(self, step: int) -> str | None:
        """Remove the ticks after a step, where training continues; return a warning if the log is damaged."""
        log, said = ticks.read(self.log), None
        if log.broken:
            aside = atomic.copy_aside(self.log)
            lines = ", ".join(map(str, log.broken[:3])) + (" …" if len(log.broken) > 3 else "")
            said = f"{self.log.name}: line {lines} cannot be read: log copied to {aside.name}, continuing without it"
        self.rewrite(tick for tick in log.ticks if tick["step"] <= step)
        return said

    def rewrite(self, ticks: Iterable[dict[str, Any]]) -> None:
        """Replace the log."""
        atomic.write_text(self.log, _lines(ticks))

    def tidy(self) -> None:
        """Remove the temporary files of killed writers; call it only while holding the folder's lock.

        Nothing is removed from a folder that holds no run.
        """
        if self.read_about():
            for folder in (self.path, self.path / CHECKPOINTS, self.path / SAMPLES):
                atomic.remove_leftovers(folder)


def seen(path: Path) -> int:
    """Return how many images had been seen, from the name of a numbered checkpoint."""
    return int(path.stem)


def _lines(found: Iterable[dict[str, Any]]) -> str:
    return "".join(to_json(tick) + "\n" for tick in found)


def runs() -> list[str]:
    """List the runs under ./runs."""
    return sorted(path.parent.name for path in RUNS.glob("*/run.json") if path.is_file() and not path.is_symlink())


def next_folder(variant: str, data: str) -> Folder:
    """Name a new run: runs/VARIANT-DATA-N with the next free number."""
    stem = _stem(variant, data)
    return Folder(RUNS / f"{stem}-{max(_numbers(stem), default=0) + 1}")


def newest_folder(variant: str, data: str) -> Folder | None:
    """Find the newest run of a variant on some data."""
    stem = _stem(variant, data)
    numbers = _numbers(stem)
    return Folder(RUNS / f"{stem}-{max(numbers)}") if numbers else None


def _stem(variant: str, data: str) -> str:
    name = Path(variant).stem if variant.endswith(".py") else variant
    return f"{name}-{re.sub(r'[^A-Za-z0-9._-]+', '-', data).strip('-.') or 'data'}"


def _numbers(stem: str) -> list[int]:
    after = (path.name[len(stem) + 1 :] for path in RUNS.glob(f"{stem}-*"))
    return [int(number) for number in after if re.fullmatch("[0-9]{1,9}", number)]
