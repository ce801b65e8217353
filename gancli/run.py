"""A run: the options that every variant has, and the folder that holds all of it. Imports no torch."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gancli import atomic
from gancli.hparams import check_ranges, hparam

RUNS = Path("runs")
RESUMABLE = 2  # the newest checkpoints that keep all that training needs; older ones keep what is served
DATA, BUDGET, RUN = "Data", "Length", "Run"

OF_SOME_DATA = frozenset({"data_b", "pairs", "direction"})  # options that only some kinds of data have a use for


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """On what to train, and where to compute, whatever the variant."""

    data: str | None = hparam(
        None,
        "folder, .zip/.tar, .npz, idx files, a torchvision name, or a built-in; default: the variant's",
        panel=DATA,
    )
    data_b: str | None = hparam(None, "two domains: the second folder, where --data is the first", panel=DATA)
    pairs: Literal["edges", "gray", "mosaic", "lowres", "mask"] | None = hparam(
        None, "make the sources of pairs from the images in --data", panel=DATA
    )
    direction: Literal["AB", "BA"] | None = hparam(
        None, "pairs: BA learns to turn the second of each pair into the first", panel=DATA
    )
    size: str | None = hparam(None, "pixels to train at: 64, or WIDTHxHEIGHT; default: from the data", panel=DATA)
    channels: int | None = hparam(
        None, "1 grey, 3 colour, 4 with alpha; default: from the data", min=1, max=4, panel=DATA
    )
    split: str = hparam("train", "split of data sets that have them: train or test", panel=DATA)
    workers: int = hparam(4, "threads that decode images", min=1, max=64, panel=DATA)
    seed: int = hparam(0, "seed of every random choice", min=0, panel=RUN)
    device: Literal["auto", "cpu", "cuda", "mps"] = hparam("auto", "where to compute", panel=RUN)
    precision: Literal["auto", "fp32", "bf16"] = hparam(
        "auto",
        "bf16: mixed precision; auto: what a CPU is measured to be faster in, what a GPU has natively",
        panel=RUN,
    )
    compile: Literal["auto", "on", "off"] = hparam(
        "auto", "compile what players minimise; auto: on a GPU, when 20 minutes of training are left", panel=RUN
    )
    graph: Literal["auto", "off"] = hparam(
        "auto", "auto: on a GPU, a step is one CUDA graph where it can be; off: never", panel=RUN
    )
    accumulate: int = hparam(
        1, "parts that a step's batch is computed in, to save memory; batch statistics are those of a part", min=1,
        panel=RUN,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class RunOptions(SetUp):
    """How long to train, and what to write."""

    epochs: float | None = hparam(None, "length in passes over the data, in place of --kimg", min=0, panel=BUDGET)
    steps: int | None = hparam(None, "length in steps, in place of --kimg", min=0, panel=BUDGET)
    gpus: int | None = hparam(None, "GPUs of this machine to share the batch; as torchrun does", min=1, panel=RUN)
    out: Path | None = hparam(None, "folder of the run; default: runs/VARIANT-DATA-N", panel=RUN)
    resume: bool = hparam(False, "go on where the run in --out (or the newest of its kind) stopped", panel=RUN)
    save_every: float | None = hparam(None, "kimg between checkpoints; default: 5 minutes", min=0, panel=RUN)
    sample_every: float | None = hparam(None, "kimg between grids; default: at 1, 2, 4, 8 … kimg", min=0, panel=RUN)
    eval_every: float | None = hparam(None, "kimg between evaluations; default: at the end", min=0, panel=RUN)
    metrics: str = hparam(
        "auto",
        "what --eval-every measures, and the best checkpoint is kept by: local or effnet (Frechet distances "
        "that need no download), shapes (the built-in ones), fid, is, kid and what else gancli eval knows, or none",
        panel=RUN,
    )
    keep: int = hparam(5, "checkpoints to keep; the newest two can be resumed, the others only used", min=2, panel=RUN)
    dry_run: bool = hparam(False, "say what would happen, and stop", panel=RUN)
    quiet: bool = hparam(False, "print nothing but errors", panel=RUN)
    json: bool = hparam(False, "print one JSON object at the end; everything else goes to stderr", panel=RUN)


@dataclass(frozen=True, kw_only=True)
class BenchOptions(SetUp):
    """What to time, and for how long."""

    seconds: float = hparam(5.0, "length of each window", min=0, panel=RUN)
    windows: int = hparam(5, "windows, of which the median counts", min=1, panel=RUN)
    against: list[str] | None = hparam(
        None, "FILE.py or FILE.py:function, another training step, timed in turns; may be given again", panel=RUN
    )
    json: bool = hparam(False, "print the report as JSON", panel=RUN)


@dataclass(frozen=True)
class Folder:
    """The files of a run."""

    path: Path

    @property
    def about(self) -> Path:
        """All that is needed to repeat the run."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """One JSON object a tick."""
        return self.path / "metrics.jsonl"

    @property
    def best(self) -> Path:
        """The best checkpoint by metric."""
        return self.path / "checkpoints" / "best.safetensors"

    def grid(self, images: int) -> Path:
        """A grid of samples, by images seen."""
        return self.path / "samples" / f"{images:09d}.png"

    def checkpoint(self, images: int) -> Path:
        """A checkpoint, by images seen."""
        return self.path / "checkpoints" / f"{images:09d}.safetensors"

    def checkpoints(self) -> list[Path]:
        """List the numbered ones, oldest first."""
        found = (self.path / "checkpoints").glob("*.safetensors")
        return sorted(path for path in found if re.fullmatch(r"\d{9,}", path.stem))

    def read_about(self) -> dict[str, Any] | None:
        """Read run.json; None when the folder holds no run."""
        try:
            about = json.loads(self.about.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return about if isinstance(about, dict) else None

    def append(self, ticks: Sequence[dict[str, Any]]) -> None:
        """Add lines to the log."""
        atomic.append_text(self.log, "".join(json.dumps(tick) + "\n" for tick in ticks))

    def ticks(self) -> list[dict[str, Any]]:
        """Read the log; a line that a crash cut short ends it."""
        found: list[dict[str, Any]] = []
        if self.log.is_file():
            for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    tick = json.loads(line)
                except (ValueError, RecursionError):
                    break
                numbers = isinstance(tick, dict) and all(isinstance(value, int | float) for value in tick.values())
                if not (numbers and {"step", "images", "seconds"} <= tick.keys()):
                    break
                found.append(tick)
        return found

    def rewind(self, step: int) -> None:
        """Forget the ticks after a step: the run goes on from there."""
        kept = [tick for tick in self.ticks() if tick["step"] <= step]
        atomic.write_text(self.log, "".join(json.dumps(tick) + "\n" for tick in kept))

    def tidy(self) -> None:
        """Remove what writers that were killed have left; only for the process that has the folder's lock."""
        for folder in (self.path, self.path / "checkpoints", self.path / "samples"):
            atomic.remove_leftovers(folder)


def runs() -> list[str]:
    """List the runs under ./runs."""
    return sorted(path.parent.name for path in RUNS.glob("*/run.json"))


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
    return [int(path.name[len(stem) + 1 :]) for path in RUNS.glob(f"{stem}-*") if path.name[len(stem) + 1 :].isdigit()]
