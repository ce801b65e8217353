"""The table of extractors: one row per network whose features are used to compare images.

This module does not import torch: the command line takes its help from the table.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.errors import UserError, missing
from gancli.metrics import table

if TYPE_CHECKING:
    import torch

    from gancli.evaluation.extractors.extractor import Extractor
    from gancli.evaluation.image_sets import ImageSet
    from gancli.system.progress import Tell


@dataclass(frozen=True)
class Row:
    """One extractor of the table."""

    name: str  # what --extractor calls it
    help: str
    make: "Callable[[ImageSet | None, torch.device, Path | None, bool, Tell], Extractor]"  # as in `make_extractor`
    from_file: bool = False  # whether --weights and --fast apply
    classes: bool = True  # whether its logits are meaningful, as scores of class predictions need


def _inception(_: Any, device: Any, weights: Path | None, fast: bool, __: Any) -> "Extractor":
    from gancli.evaluation.extractors.inception import Inception

    return Inception(weights, device, fast=fast)


def _local(reals: "ImageSet | None", device: Any, _: Any, __: Any, tell: "Tell") -> "Extractor":
    if reals is None:
        raise UserError("--extractor local is trained on the real images: give them with --data")
    from gancli.evaluation.extractors.local import Local

    return Local(reals, device, tell)


def _effnet(_: Any, device: Any, *__: Any) -> "Extractor":
    from gancli.evaluation.extractors.effnet import Effnet

    return Effnet(device)


DEFAULT, LOCAL = "inception", "local"
EXTRACTORS = {
    row.name: row
    for row in (
        Row(DEFAULT, "Inception v3, the network of FID", _inception, from_file=True),
        Row(LOCAL, "a small network trained on --data", _local, classes=False),
        Row("effnet", "EfficientNet, from gancli[offline]", _effnet),
    )
}


def listed() -> str:
    """Return the names and descriptions of all extractors for a help text."""
    return "; ".join(f"{row.name}: {row.help}" for row in EXTRACTORS.values())


def check(name: str) -> None:
    """Raise UserError for an unknown extractor."""
    if name not in EXTRACTORS:
        raise missing("extractor", name, list(EXTRACTORS))


def check_scores(name: str, metrics: Iterable[str]) -> None:
    """Raise UserError for scores of class predictions if the extractor is not a general image classifier."""
    of_classes = [score for score in metrics if table.LOGITS in table.needs_of(score)]
    if of_classes and not EXTRACTORS[name].classes:
        able = " or ".join(other.name for other in EXTRACTORS.values() if other.classes)
        score = of_classes[0]
        raise UserError(f"--metrics {score}: it is not meaningful with --extractor {name}; leave it out, or use {able}")


def default_metrics(name: str) -> str:
    """Return the metrics of an evaluation for which none are given."""
    return "fid,is" if EXTRACTORS[name].classes else "fid"


def make_extractor(
    name: str,
    reals: "ImageSet | None",
    device: "torch.device",
    *,
    weights: Path | None = None,
    fast: bool = False,
    tell: "Tell" = lambda *_: None,
) -> "Extractor":
    """Build the extractor of that name; raise UserError if it is unknown or does not support the options.

    `tell` hears how far the training of an extractor is.
    """
    check(name)
    row = EXTRACTORS[name]
    if (weights or fast) and not row.from_file:
        able = " or ".join(other.name for other in EXTRACTORS.values() if other.from_file)
        raise UserError(f"--fast and --weights work only with --extractor {able}")
    return row.make(reals, device, weights, fast, tell)
