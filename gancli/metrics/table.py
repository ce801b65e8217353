"""The table of metrics: a row for every number that an evaluation gives.

What it means, which way is better, how it is shown, and what must be known to take it. There is no torch here: the
command line reads its help off this table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gancli.errors import UserError, missing

Direction = Literal["up", "down"] | float  # higher is better, lower is better, or the value to be near to

MOMENTS = "features"  # their mean and covariance are enough
ROWS = "the features of every image"
LOGITS = "an extractor with classes"
LABELS = "labels on both sides"
PAIRS = "a translator and matched pairs"
SHAPES = "the built-in shapes"
POINTS = "the built-in points"
DOMAINS = "the two built-in domains"
HELD_OUT = "labels that were held out of training"
OF_FEATURES, OF_KNOWN_TRUTH = {MOMENTS, ROWS, LOGITS}, {SHAPES, POINTS, DOMAINS, HELD_OUT}

KNOWN_TRUTH = "shapes"  # what --metrics calls all that needs no features, because the truth is known


@dataclass(frozen=True)
class Metric:
    """One number."""

    name: str
    score: str  # what --metrics calls it; some scores give several numbers
    better: Direction
    help: str
    needs: tuple[str, ...]
    percent: bool = False
    judges: bool = True  # false: it says how sure another number is, and no checkpoint is chosen by it
    times: str = ""  # another number without which it means little: a checkpoint is chosen by their product


METRICS = (
    Metric("fid", "fid", "down", "Frechet distance between Gaussians fitted to the features", (MOMENTS,)),
    Metric("is", "is", "up", "Inception Score: images of one clear class each, of all classes together", (LOGITS,)),
    Metric("is_std", "is", "down", "its deviation over 10 splits", (LOGITS,), judges=False),
    Metric("kid", "kid", "down", "kernel distance between features; unbiased, so use it for few images", (ROWS,)),
    Metric("kid_std", "kid", "down", "its deviation over subsets", (ROWS,), judges=False),
    Metric("precision", "precision-recall", "up", "generated images within the reach of real ones", (ROWS,), True),
    Metric("recall", "precision-recall", "up", "real images within the reach of generated ones", (ROWS,), True),
    Metric("density", "density-coverage", "up", "real images whose reach a generated one lies in, over k", (ROWS,)),
    Metric("coverage", "density-coverage", "up", "real images with a generated one in their reach", (ROWS,), True),
    Metric("copies", "copies", "down", "generated images that are nearly a real one", (ROWS,), True),
    Metric("fid_infinity", "fid-infinity", "down", "FID of endless images: a line over 1/N", (ROWS,)),
    Metric("fid_infinity_slope", "fid-infinity", "down", "the line's slope", (ROWS,), judges=False),
    Metric("fid_infinity_residual", "fid-infinity", "down", "how far FIDs lie from the line", (ROWS,), judges=False),
    Metric("fid_error", "fid-jackknife", "down", "standard error of FID, by leaving out blocks", (ROWS,), judges=False),
    Metric("fid_class", "fid-per-class", "down", "FID of the images of one class", (ROWS, LABELS)),
    Metric("mode_score", "mode-score", "up", "Inception Score that knows the real images' classes", (LOGITS,)),
    Metric("mmd", "mmd", "down", "squared maximum mean discrepancy under a Gaussian kernel", (ROWS,)),
    Metric("wasserstein", "wasserstein", "down", "earth mover's distance between features", (ROWS,)),
    Metric("1nn", "1nn", 0.5, "accuracy of a nearest neighbour that tells real from generated", (ROWS,), True),
    Metric("psnr", "psnr", "up", "dB of each image against the one that it should be", (PAIRS,)),
    Metric("ssim", "ssim", "up", "structural similarity to the image that it should be", (PAIRS,)),
    Metric(
        "feature_distance", "feature-distance", "down", "mean distance to the features of what it should be",
        (ROWS, PAIRS),
    ),
    Metric("valid_share", KNOWN_TRUTH, "up", "images that show a shape", (SHAPES,), True, times="mode_coverage"),
    Metric("mode_coverage", KNOWN_TRUTH, "up", "kinds of shapes that are among them", (SHAPES,), True),
    Metric("mode_kl", KNOWN_TRUTH, "down", "divergence of the kinds of shapes from uniform, in nats", (SHAPES,)),
    Metric("modes_hit", KNOWN_TRUTH, "up", "modes with a point near them", (POINTS,), times="share_within_3_sigma"),
    Metric("share_within_3_sigma", KNOWN_TRUTH, "up", "points near a mode", (POINTS,), True),
    Metric("domain_right", KNOWN_TRUTH, "up", "translations that lie in their domain", (DOMAINS,), True, times="iou"),
    Metric("iou", KNOWN_TRUTH, "up", "mean overlap of a translation's shape with the true one", (DOMAINS,)),
    Metric("shape_right", KNOWN_TRUTH, "up", "translations that keep the shape", (DOMAINS,), True),
    Metric("colour_right", KNOWN_TRUTH, "up", "translations that keep the colour", (DOMAINS,), True),
    Metric("accuracy", KNOWN_TRUTH, "up", "held-out images whose class is recognised", (HELD_OUT,), True),
)  # fmt: skip
_ROWS = {row.name: row for row in METRICS}
SCORES = tuple(dict.fromkeys(row.score for row in METRICS))


def metric(name: str) -> Metric:
    """Find the row of a number, such as `kid`, `frechet`, `fid_class_3` or `AB_iou`; raises UserError for none."""
    plain = re.sub("^frechet", "fid", name)
    plain = re.sub(r"^fid_class_\d+$", "fid_class", plain)
    plain = re.sub("^(AB|BA)_", "", plain)  # a translator's direction
    if plain not in _ROWS:
        raise missing("metric", name, list(_ROWS))
    return _ROWS[plain]


def not_fid(name: str) -> str:
    """Give the name of a Frechet distance that is not FID, because its features are not Inception's."""
    return re.sub("^fid", "frechet", name)


def needs_of(score: str) -> set[str]:
    """Say what a score needs."""
    return {need for row in METRICS if row.score == score for need in row.needs}


def of_features(score: str) -> bool:
    """Tell whether a score compares features."""
    return bool(needs_of(score) & OF_FEATURES)


def of_pairs(score: str) -> bool:
    """Tell whether a score must know what each image should be."""
    return PAIRS in needs_of(score)


def parse(text: str) -> list[str]:
    """Read `fid,is` as names of scores; raises UserError for one that there is not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SCORES:
            raise missing("metric", name, list(SCORES))
    if not names:
        raise UserError(f"--metrics names nothing; there are {', '.join(SCORES)}")
    return list(dict.fromkeys(names))


def listed() -> str:
    """Name all scores, for the help of an option."""
    known = [name for name in SCORES if of_features(name) and not of_pairs(name)]
    pairs = [name for name in SCORES if of_pairs(name)]
    return f"{', '.join(known)}; {', '.join(pairs)} of translators against pairs; {KNOWN_TRUTH} for the built-in data"


def shown(name: str, value: float) -> str:
    """Write the value of a number as people read it."""
    return f"{value:.1%}" if metric(name).percent else f"{value:.5g}"


# ------------------------------------------------------------------------------------ the best checkpoint


def judging(scores: list[str]) -> bool:
    """Tell whether one of these scores says how good a model is, not only how sure another score is."""
    return any(row.judges for row in METRICS if row.score in scores)


def selection_score(numbers: Mapping[str, float]) -> float:
    """Say how good an evaluation is, more being better: by the first of its numbers that judges.

    The mean of all that share its row, as classes and directions do. Raises UserError for an unknown number.
    """
    first = next((row for row in map(metric, numbers) if row.judges), None)
    if first is None:
        raise UserError(f"{', '.join(numbers)}: none of these says how good a model is")
    alike = [_goodness(name, numbers, first) for name in numbers if metric(name) is first]
    return sum(alike) / len(alike)


def _goodness(name: str, numbers: Mapping[str, float], row: Metric) -> float:
    """More is better."""
    value = numbers[name]
    if row.better == "up":
        return value * numbers.get(name.replace(row.name, row.times), 1.0) if row.times else value
    return -value if row.better == "down" else -abs(value - row.better)
