"""The table of extractors: a row for every network by whose features images are compared.

There is no torch here: the command line reads its help off this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.errors import UserError, missing

if TYPE_CHECKING:
    import torch

    from gancli.evaluation.extractors.extractor import Extractor
    from gancli.evaluation.image_sets import ImageSet


@dataclass(frozen=True)
class Row:
    """One extractor."""

    name: str  # what --extractor calls it
    help: str
    make: "Callable[[ImageSet | None, torch.device, Path | None, bool], Extractor]"  # reals, device, weights, fast
    from_file: bool = False  # whether its weights may be given, and its precision


def _inception(_: Any, device: Any, weights: Path | None, fast: bool) -> "Extractor":
    from gancli.evaluation.extractors.inception import Inception

    return Inception(weights, device, fast=fast)


def _local(reals: "ImageSet | None", device: Any, *_: Any) -> "Extractor":
    if reals is None:
        raise UserError("--extractor local is trained on the real images: name them with --data")
    from gancli.evaluation.extractors.local import Local

    return Local(reals, device)


def _effnet(_: Any, device: Any, *__: Any) -> "Extractor":
    from gancli.evaluation.extractors.effnet import Effnet

    return Effnet(device)


DEFAULT, LOCAL = "inception", "local"
EXTRACTORS = {
    row.name: row
    for row in (
        Row(DEFAULT, "Inception, whose Frechet distance is FID", _inception, from_file=True),
        Row(LOCAL, "a small network trained on --data", _local),
        Row("effnet", "EfficientNet, from gancli[offline]", _effnet),
    )
}


def listed() -> str:
    """Name and explain all of them, for the help of an option."""
    return "; ".join(f"{row.name}: {row.help}" for row in EXTRACTORS.values())


def check(name: str) -> None:
    """Raise UserError for an extractor that there is not."""
    if name not in EXTRACTORS:
        raise missing("extractor", name, list(EXTRACTORS))


def make_extractor(
    name: str, reals: "ImageSet | None", device: "torch.device", *, weights: Path | None = None, fast: bool = False
) -> "Extractor":
    """Build the network of that name; raises UserError for what it cannot be built of."""
    check(name)
    row = EXTRACTORS[name]
    if (weights or fast) and not row.from_file:
        able = " or ".join(other.name for other in EXTRACTORS.values() if other.from_file)
        raise UserError(f"--fast and --weights are for --extractor {able}")
    return row.make(reals, device, weights, fast)
