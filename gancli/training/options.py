"""The options that training and timing have for every variant. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gancli.hparams import check_ranges, hparam

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
