"""The table of metrics: one row for every number that an evaluation reports.

A row states what the number means, which direction is better, how it is formatted, and what its computation needs.
This module does not import torch: the command line takes its help from the table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gancli.errors import UserError, missing

Direction = Literal["up", "down"] | float  # higher is better, lower is better, or a target value

MOMENTS = "features"  # mean and covariance are enough
ROWS = "the features of every image"
LOGITS = "an extractor with classes"
LABELS = "labels of real and generated images"
PAIRS = "a translator and matched pairs"
SHAPES = "the built-in shapes"
POINTS = "the built-in points"
DOMAINS = "the two built-in domains"
HELD_OUT = "labels that were held out of training"
PATHS = "a model that samples"
OF_FEATURES, OF_KNOWN_TRUTH = {MOMENTS, ROWS, LOGITS}, {SHAPES, POINTS, DOMAINS, HELD_OUT}

KNOWN_TRUTH = "shapes"  # the --metrics name of all scores that need no features, because the ground truth is known


@dataclass(frozen=True)
class Metric:
    """One number that an evaluation reports."""

    name: str
    score: str  # its --metrics name; some scores give several numbers
    better: Direction
    help: str
    needs: tuple[str, ...]
    percent: bool = False
    judges: bool = True  # False: it is the uncertainty of another number, and does not select checkpoints
    times: str = ""  # another number that completes it: their product selects checkpoints


METRICS = (
    Metric("fid", "fid", "down", "Frechet distance between Gaussians fitted to the features", (MOMENTS,)),
    Metric("is", "is", "up", "Inception Score: one clear class per image, all classes in turn", (LOGITS,)),
    Metric("is_std", "is", "down", "its standard deviation over 10 splits", (LOGITS,), judges=False),
    Metric("kid", "kid", "down", "kernel distance between features; unbiased, fit for few images", (ROWS,)),
    Metric("kid_std", "kid", "down", "its standard deviation over subsets", (ROWS,), judges=False),
    Metric("precision", "precision-recall", "up", "generated images in the k-NN radius of a real one", (ROWS,), True),
    Metric("recall", "precision-recall", "up", "real images in the k-NN radius of a generated one", (ROWS,), True),
    Metric("density", "density-coverage", "up", "k-NN radii of real images that hold a fake, over k", (ROWS,)),
    Metric("coverage", "density-coverage", "up", "real images with a fake in their k-NN radius", (ROWS,), True),
    Metric("copies", "copies", "down", "generated images that are near-copies of a real one", (ROWS,), True),
    Metric("fid_infinity", "fid-infinity", "down", "FID extrapolated to infinite N by a line over 1/N", (ROWS,)),
    Metric("fid_infinity_slope", "fid-infinity", "down", "the line's slope", (ROWS,), judges=False),
    Metric("fid_infinity_residual", "fid-infinity", "down", "residual of the line", (ROWS,), judges=False),
    Metric("fid_error", "fid-jackknife", "down", "standard error of FID, by leaving out blocks", (ROWS,), judges=False),
    Metric("fid_class", "fid-per-class", "down", "FID within one class", (ROWS, LABELS)),
    Metric("mode_score", "mode-score", "up", "Inception Score relative to the real images' classes", (LOGITS,)),
    Metric("mmd", "mmd", "down", "squared maximum mean discrepancy under a Gaussian kernel", (ROWS,)),
    Metric("wasserstein", "wasserstein", "down", "earth mover's distance between features", (ROWS,)),
    Metric("1nn", "1nn", 0.5, "accuracy of 1-NN at telling real from generated; 50% is best", (ROWS,), True),
    Metric("psnr", "psnr", "up", "peak signal-to-noise ratio, in dB", (PAIRS,)),
    Metric("ssim", "ssim", "up", "structural similarity to the ground truth", (PAIRS,)),
    Metric(
        "feature_distance", "feature-distance", "down", "mean distance to the features of the ground truth",
        (ROWS, PAIRS),
    ),
    Metric("ppl_z_full", "ppl", "down", "path length in z by the extractor's distance, not LPIPS: all along", (PATHS,)),
    Metric("ppl_z_end", "ppl", "down", "path length in z, where paths begin", (PATHS,)),
    Metric("ppl_w_full", "ppl", "down", "path length in w, for models with styles: all along", (PATHS,)),
    Metric("ppl_w_end", "ppl", "down", "path length in w, where paths begin", (PATHS,)),
    Metric("valid_share", KNOWN_TRUTH, "up", "images with a valid shape", (SHAPES,), True, times="mode_coverage"),
    Metric("mode_coverage", KNOWN_TRUTH, "up", "modes that valid images cover", (SHAPES,), True),
    Metric("mode_kl", KNOWN_TRUTH, "down", "KL divergence of the modes from uniform, in nats", (SHAPES,)),
    Metric("modes_hit", KNOWN_TRUTH, "up", "modes with a point in 3 sigma", (POINTS,), times="share_within_3_sigma"),
    Metric("share_within_3_sigma", KNOWN_TRUTH, "up", "points within 3 sigma of a mode", (POINTS,), True),
    Metric("domain_right", KNOWN_TRUTH, "up", "translations in the target domain", (DOMAINS,), True, times="iou"),
    Metric("iou", KNOWN_TRUTH, "up", "mean overlap of a translation's shape with the true one", (DOMAINS,)),
    Metric("shape_right", KNOWN_TRUTH, "up", "translations that keep the shape", (DOMAINS,), True),
    Metric("colour_right", KNOWN_TRUTH, "up", "translations that keep the colour", (DOMAINS,), True),
    Metric("accuracy", KNOWN_TRUTH, "up", "held-out images classified correctly", (HELD_OUT,), True),
)  # fmt: skip
_ROWS = {row.name: row for row in METRICS}
SCORES = tuple(dict.fromkeys(row.score for row in METRICS))


def metric(name: str) -> Metric:
    """Return the row of a number such as `kid`, `frechet`, `fid_class_3` or `AB_iou`; raise UserError if unknown."""
    if (row := find(name)) is None:
        raise missing("metric", name, list(_ROWS))
    return row


def find(name: str) -> Metric | None:
    """Return the row of a number, like `metric`; None if the name is not a metric's."""
    plain = re.sub("^frechet", "fid", name)
    plain = re.sub(r"^fid_class_[0-9]{1,9}$", "fid_class", plain)
    plain = re.sub("^(AB|BA)_", "", plain)  # a translator's direction
    return _ROWS.get(plain)


def not_fid(name: str) -> str:
    """Return the name of a Frechet distance that is not FID, because its features are not Inception's."""
    return re.sub("^fid", "frechet", name)


def needs_of(score: str) -> set[str]:
    """Return what a score needs."""
    return {need for row in METRICS if row.score == score for need in row.needs}


def of_features(score: str) -> bool:
    """Return whether a score compares features."""
    return bool(needs_of(score) & OF_FEATURES)


def of_pairs(score: str) -> bool:
    """Return whether a score needs the ground truth of each image."""
    return PAIRS in needs_of(score)


def of_paths(score: str) -> bool:
    """Return whether a score needs a model's latent space."""
    return PATHS in needs_of(score)


def parse(text: str) -> list[str]:
    """Parse names of scores such as `fid,is`; raise UserError for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SCORES:
            raise missing("metric", name, list(SCORES))
    if not names:
        raise UserError(f"--metrics is empty: give one or more of {', '.join(SCORES)}")
    return list(dict.fromkeys(names))


def listed() -> str:
    """Return the names of all scores for a help text."""
    known = [name for name in SCORES if of_features(name) and not of_pairs(name)]
    paths, pairs = ([name for name in SCORES if of(name)] for of in (of_paths, of_pairs))
    return (
        f"{', '.join(known)}; for models that sample: {', '.join(paths)} (by the extractor's distance, not LPIPS); "
        f"for translators with pairs: {', '.join(pairs)}; for the built-in data: {KNOWN_TRUTH}"
    )


def shown(name: str, value: float) -> str:
    """Format the value of a number for display."""
    return f"{value:.1%}" if metric(name).percent else f"{value:.5g}"


# ------------------------------------------------------------------------------------ the best checkpoint


def judging(scores: list[str]) -> bool:
    """Return whether one of these scores measures a model's quality, not only another score's uncertainty."""
    return any(row.judges for row in METRICS if row.score in scores)


def selection_score(numbers: Mapping[str, float]) -> float:
    """Return the value by which checkpoints are compared, higher is better: the first number that measures quality.

    Numbers that share its row, such as those of classes or directions, are averaged. Raise UserError if a number is
    unknown.
    """
    first = next((row for row in map(metric, numbers) if row.judges), None)
    if first is None:
        raise UserError(f"{', '.join(numbers)}: none of these measures a model's quality")
    alike = [_goodness(name, numbers, first) for name in numbers if metric(name) is first]
    return sum(alike) / len(alike)


def _goodness(name: str, numbers: Mapping[str, float], row: Metric) -> float:
    """Return a number so that higher is better."""
    value = numbers[name]
    if row.better == "up":
        return value * numbers.get(name.replace(row.name, row.times), 1.0) if row.times else value
    return -value if row.better == "down" else -abs(value - row.better)
