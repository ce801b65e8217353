"""The options of `train` and `bench` that every variant has. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gancli.hparams import check_ranges, hparam

DATA, BUDGET, RUN = "Data", "Length", "Run"

OF_SOME_DATA = frozenset({"data_b", "pairs", "direction"})  # options that apply only to some kinds of data


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """Which data to train on and where to compute, for every variant."""

    data: str | None = hparam(
        None,
        "folder, .zip/.tar, .npz, idx files, torchvision data set, or built-in; default: the variant's own built-in",
        panel=DATA,
    )
    data_b: str | None = hparam(None, "folder of the second domain, when --data is the folder of the first", panel=DATA)
    pairs: Literal["edges", "gray", "mosaic", "lowres", "mask"] | None = hparam(
        None, "build pairs by deriving the source images from those in --data", panel=DATA
    )
    direction: Literal["AB", "BA"] | None = hparam(
        None, "for pairs: AB learns first to second image, BA second to first", panel=DATA
    )
    size: str | None = hparam(None, "image size to train at: 64, or WIDTHxHEIGHT; default: from the data", panel=DATA)
    channels: int | None = hparam(
        None, "image channels: 1 grey, 3 colour, 4 colour and alpha; default: from the data", min=1, max=4, panel=DATA
    )
    preset: Literal["auto", "paper", "quick"] = hparam(
        "auto",
        "defaults of the hyperparameters: paper, as published; quick, tuned to train in minutes; auto, quick on a CPU "
        "and for images of up to 32 pixels; a resumed run keeps its own",
        panel=RUN,
    )
    split: str = hparam("train", "split to train on, for data sets that have splits: train or test", panel=DATA)
    skip_broken: bool = hparam(False, "skip files that cannot be read, even if they are more than 1 %", panel=DATA)
    workers: int = hparam(4, "threads that decode images", min=1, max=64, panel=DATA)
    seed: int = hparam(0, "seed of every random choice", min=0, panel=RUN)
    device: Literal["auto", "cpu", "cuda", "mps"] = hparam("auto", "where to compute", panel=RUN)
    precision: Literal["auto", "fp32", "bf16"] = hparam(
        "auto",
        "bf16: mixed precision; auto: the faster one, measured, on a CPU; bf16 on a GPU that supports it natively",
        panel=RUN,
    )
    compile: Literal["auto", "on", "off"] = hparam(
        "auto", "torch.compile the loss terms; auto: on a GPU, if over 20 minutes remain and it is faster", panel=RUN
    )
    graph: Literal["auto", "off"] = hparam(
        "auto", "CUDA graphs; auto: on a GPU, capture the whole training step when possible; off: never", panel=RUN
    )
    accumulate: int = hparam(
        1,
        "gradient accumulation: micro-batches per step, to save memory; batch norm and terms that compare the "
        "images of a batch see one micro-batch",
        min=1,
        panel=RUN,
    )

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class RunOptions(SetUp):
    """How long to train, and what to write."""

    epochs: float | None = hparam(
        None, "training length in passes over the data, instead of --kimg", min=0, panel=BUDGET
    )
    steps: int | None = hparam(None, "training length in steps, instead of --kimg", min=0, panel=BUDGET)
    minutes: float | None = hparam(
        None, "training length in minutes, evaluations included, instead of --kimg: the speed is measured first",
        min=0, max=10**7, panel=BUDGET,
    )  # fmt: skip
    from_: str | None = hparam(
        None,
        "MODEL to start from, with its weights and hyperparameters: fine-tunes a checkpoint of this variant on new "
        "data",
        panel=RUN,
    )
    freeze_d: int | None = hparam(
        None, "with --from: layers of D, counted from the image, that do not learn", min=0, max=1000, panel=RUN
    )
    gpus: int | None = hparam(
        None, "number of GPUs on this machine to split the batch over, as with torchrun", min=1, panel=RUN
    )
    out: Path | None = hparam(None, "run folder; default: runs/VARIANT-DATA-N", panel=RUN)
    resume: bool = hparam(False, "continue the run in --out, or the newest run of this variant and data", panel=RUN)
    save_every: float | None = hparam(None, "kimg between checkpoints; default: one every 5 minutes", min=0, panel=RUN)
    sample_every: float | None = hparam(
        None, "kimg between sample grids; default: at 1, 2, 4, 8 … kimg", min=0, panel=RUN
    )
    scale: int = hparam(1, "enlarge grids by this whole factor, without smoothing", min=1, max=16, panel=RUN)
    captions: bool = hparam(False, "write captions beside the rows of grids: classes, source, translation …", panel=RUN)
    eval_every: float | None = hparam(None, "kimg between evaluations; default: once, at the end", min=0, panel=RUN)
    metrics: str = hparam(
        "auto",
        "metrics for --eval-every; the first selects the best checkpoint: local or effnet (Frechet distances "
        "that need no download), shapes (built-in data only), fid, is, kid or others of gancli eval, or none",
        panel=RUN,
    )
    keep: int = hparam(
        5,
        "checkpoints to keep; the newest two can be resumed, older ones keep inference weights only",
        min=2,
        panel=RUN,
    )
    log: list[str] | None = hparam(
        None, "also log metrics and sample grids with tensorboard or wandb; repeatable", panel=RUN
    )
    dry_run: bool = hparam(False, "print the training plan and stop; with --json, as one JSON object", panel=RUN)
    quiet: bool = hparam(False, "print errors only", panel=RUN)
    json: bool = hparam(False, "print one JSON object at the end; everything else goes to stderr", panel=RUN)


@dataclass(frozen=True, kw_only=True)
class BenchOptions(SetUp):
    """What to time and for how long."""

    preset: Literal["auto", "paper", "quick"] = "paper"

    seconds: float = hparam(5.0, "length of each timing window in seconds", min=0, panel=RUN)
    windows: int = hparam(5, "number of timing windows; the median is reported", min=1, panel=RUN)
    against: list[str] | None = hparam(
        None, "FILE.py or FILE.py:function with another training step to time in alternation; repeatable", panel=RUN
    )
    quiet: bool = hparam(False, "print errors only", panel=RUN)
    json: bool = hparam(False, "print the report as JSON", panel=RUN)
