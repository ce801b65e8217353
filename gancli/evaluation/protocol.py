"""All that a score depends on, said beside it; and what must not be compared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.errors import UserError
from gancli.evaluation.extractors.extractor import Extractor
from gancli.evaluation.image_sets import ImageSet
from gancli.metrics.features import Features
from gancli.system.versions import versions

FEW = 2048  # images below which FID says more of their number than of the model
LIKE = ("extractor", "weights", "precision")  # must be the same on both sides of a comparison


@dataclass(frozen=True)
class Result:
    """The scores of one input."""

    name: str
    metrics: dict[str, float]
    protocol: dict[str, Any]


@dataclass(frozen=True)
class Against:
    """What the features of every input are compared with."""

    extractor: Extractor
    features: Features
    about: dict[str, Any]


def extractor_facts(extractor: Extractor) -> dict[str, str]:
    """Say which network made the features."""
    about = {"extractor": extractor.name, "weights": extractor.weights[:16], "precision": extractor.precision}
    return about | {"resize": extractor.resize}


def protocol_of(network: dict[str, str], fake: ImageSet, real: dict[str, Any]) -> dict[str, Any]:
    """All that a number depends on."""
    return {**network, "generated": fake.about(), "real": real, "versions": versions()}


def check_like(said: dict[str, Any] | None, ours: dict[str, str], path: Path) -> None:
    """Raise UserError for statistics of another network than ours."""
    unlike = [f"{key} {said[key]}, here {ours[key]}" for key in LIKE if said and said.get(key) not in (None, ours[key])]
    if unlike:
        raise UserError(f"--stats {path} was made otherwise: {'; '.join(unlike)}")


def check_counts(results: list[Result]) -> None:
    """Raise UserError for scores of different numbers of images."""
    counts = {result.name: result.protocol["generated"]["images"] for result in results}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} has {count:,}" for name, count in counts.items())
        raise UserError(f"scores of unlike numbers of images do not compare: {said}; give -n {min(counts.values())}")


def cautions(against: Against | None, sides: list[ImageSet]) -> list[str]:
    """Say what makes the scores worth less than they look."""
    found = [f"{side.name}: {text}" for side in sides for text in side.notes]
    least = min(side.count for side in sides)
    if against and least < FEW:
        found.append(
            f"only {least:,} images: a Frechet distance depends on their number below {FEW:,}; "
            f"compare at equal numbers only, or use kid, which is unbiased, or fid-infinity"
        )
    if against and against.extractor.inception and not against.extractor.official:
        found.append(f"{against.extractor.weights[:16]} are not the weights of the FID paper: compare with no one")
    return found
