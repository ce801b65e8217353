"""Read what a report shows of a run: run.json, the log, the sample grids and the newest checkpoint.

Nothing in a run folder is changed, and no code that it names is run.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from gancli.checkpoints import checkpoint, ticks
from gancli.checkpoints.about import MOST
from gancli.checkpoints.find import run_folder, runs_here
from gancli.checkpoints.run_folder import NUMBER, RUNS, SAMPLES, Folder, Named, Recorded, runs, seen
from gancli.data.spec import DataSpec
from gancli.errors import UserError, missing
from gancli.system import atomic
from gancli.system.untrusted.door import LARGEST_JSON, parse_nulled, printable, read_bytes, reading
from gancli.system.untrusted.names import expanded
from gancli.training.output import kept
from gancli.training.output.kept import KeptWarning

LONGEST_NAME = 60  # characters of a run's name


@dataclass(frozen=True)
class Shown:
    """The fields of run.json that are shown and not read for anything else; older versions did not write all."""

    device: str | None = None
    processes: int | None = None
    versions: Named = field(default_factory=dict)
    options: Named = field(default_factory=dict)
    machine: Named = field(default_factory=dict)


@dataclass(frozen=True)
class SampleGrid:
    """A sample grid and how many images training had seen."""

    images: int
    path: Path


@dataclass(frozen=True)
class ReportedRun:
    """A run that is reported."""

    folder: Folder
    name: str
    about: Recorded
    shown: Shown
    log: ticks.Log
    grids: tuple[SampleGrid, ...]
    spec: DataSpec | None
    total: int | None  # images to train on, as far as that is known
    locked: bool  # by a process that trains it
    warnings: list[KeptWarning] = field(default_factory=list)
    faults: tuple[str, ...] = ()  # files that could not be read

    @cached_property
    def images(self) -> int:
        """Return how many images training has seen."""
        return max((tick["images"] for tick in self.log.ticks), default=0)

    @property
    def state(self) -> Literal["finished", "running", "stopped"]:
        """Return how far training is."""
        if self.locked:
            return "running"
        return "stopped" if self.total is None or self.images < self.total else "finished"

    def seconds_at(self, images: int) -> float:
        """Return how long training took to see so many images."""
        return max((tick["seconds"] for tick in self.log.ticks if tick["images"] <= images), default=0.0)


def read_runs(names: list[str]) -> list[ReportedRun]:
    """Read runs, each with a name of its own. Raise UserError for what is not a run, or named twice."""
    folders = [_folder(name) for name in names]
    if len({folder.path.resolve() for folder in folders}) < len(folders):
        raise UserError(f"report {' '.join(names)}: a run is named twice: name each run once")
    short = [folder.path.resolve().name for folder in folders]
    return [_read(folder, own if short.count(own) == 1 else str(folder.path)) for folder, own in zip(folders, short)]


def _folder(name: str) -> Folder:
    if expanded(name).is_file():
        raise UserError(f"report {name}: that is a file: give the folder of a run")
    folder = run_folder(name)
    if folder is None:
        mine = [f"{RUNS.name}/{run}" for run in runs()]
        raise missing("run", name, mine, f"{runs_here(mine)}: give the folder of a run")
    return folder


def _read(folder: Folder, name: str) -> ReportedRun:
    folder.check()
    about = folder.read_about()
    if about is None:
        raise UserError(f"{folder.path} holds no run: give the folder of a run")
    with reading(str(folder.about)):
        shown = parse_nulled(read_bytes(folder.about, LARGEST_JSON), Shown)
    total, faults = _total(folder, about, shown)
    with atomic.locked(folder.path) as free:
        locked = not free
    return ReportedRun(
        folder,
        printable(name, LONGEST_NAME),
        about,
        shown,
        ticks.read(folder.log),
        _grids(folder),
        _spec(folder, about),
        total,
        locked,
        kept.read(folder),
        faults,
    )


def _grids(folder: Folder) -> tuple[SampleGrid, ...]:
    found = (path for path in (folder.path / SAMPLES).glob("*.png") if NUMBER.fullmatch(path.stem))
    return tuple(SampleGrid(seen(path), path) for path in sorted(found, key=seen))


def _spec(folder: Folder, about: Recorded) -> DataSpec | None:
    """Return the shape of the data; None if an older version did not record it."""
    if about.spec is None:
        return None
    with reading(str(folder.about)):
        spec = DataSpec.from_json(about.spec)
        spec.check(MOST)
    return spec


def _total(folder: Folder, about: Recorded, shown: Shown) -> tuple[int | None, tuple[str, ...]]:
    """Return the length of a run from its newest checkpoint, or from its options before there is one, and faults."""
    try:
        if kept := folder.checkpoints():
            return checkpoint.describe(kept[-1]).clock["total"], ()
    except UserError as error:
        return _asked(about, shown), (str(error),)
    return _asked(about, shown), ()


def _asked(about: Recorded, shown: Shown) -> int | None:
    """Return the length that was asked for; None if the number of images in the data would be needed."""
    steps, kimg = shown.options.get("steps"), about.hparams.get("kimg")
    if about.measured:
        return about.measured.images
    if shown.options.get("epochs") is not None:
        return None
    if isinstance(steps, int):
        return steps * about.hparams["batch"]
    return round(kimg * 1000) if isinstance(kimg, int | float) else None
