"""The protocol of an evaluation: everything a score depends on, and checks against invalid comparisons."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.errors import UserError
from gancli.evaluation.extractors.extractor import Extractor
from gancli.evaluation.image_sets import ImageSet
from gancli.metrics.features import Features
from gancli.system.versions import versions

FEW = 2048  # with fewer images, FID depends more on their number than on the model
LIKE = ("extractor", "weights", "precision")  # must be equal for real and generated images


@dataclass(frozen=True)
class Result:
    """The scores of one input."""

    name: str
    metrics: dict[str, float]
    protocol: dict[str, Any]


@dataclass(frozen=True)
class Against:
    """The reference: extractor and features that every input is compared with; none if no score needs them."""

    extractor: Extractor
    features: Features | None
    about: dict[str, Any]


def extractor_facts(extractor: Extractor) -> dict[str, str]:
    """Return the protocol entry of the network that extracts the features."""
    about = {"extractor": extractor.name, "weights": extractor.weights[:16], "precision": extractor.precision}
    return about | {"resize": extractor.resize}


def protocol_of(network: dict[str, str], fake: ImageSet, real: dict[str, Any]) -> dict[str, Any]:
    """Return everything that a score depends on."""
    return {**network, "generated": fake.about(), "real": real, "versions": versions()}


def check_like(said: dict[str, Any] | None, ours: dict[str, str], path: Path) -> None:
    """Raise UserError if the statistics come from another network than ours."""
    unlike = [f"{key} {said[key]} (now {ours[key]})" for key in LIKE if said and said.get(key) not in (None, ours[key])]
    if unlike:
        raise UserError(f"--stats {path} was made with {'; '.join(unlike)}: use the same settings, or give --data")


def check_counts(results: list[Result]) -> None:
    """Raise UserError if scores come from different sample counts."""
    counts = {result.name: result.protocol["generated"]["images"] for result in results}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} has {count:,}" for name, count in counts.items())
        raise UserError(
            f"scores from different sample counts are not comparable: {said}; give -n {min(counts.values())}"
        )


def cautions(against: Against | None, sides: list[ImageSet]) -> list[str]:
    """Return warnings about scores that are less reliable than they look."""
    found = [f"{side.name}: {text}" for side in sides for text in side.notes]
    least = min(side.count for side in sides)
    if against and least < FEW:
        found.append(
            f"only {least:,} images: below {FEW:,}, a Frechet distance depends on the sample count; "
            f"compare equal counts only, or use kid (unbiased) or fid-infinity"
        )
    if against and against.extractor.inception and not against.extractor.official:
        found.append(
            f"non-standard Inception weights ({against.extractor.weights[:16]}): not comparable with published FID"
        )
    return found
