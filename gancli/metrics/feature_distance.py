"""Distance between an image and its ground truth in a network's features."""

from torch import Tensor


def feature_distance(rows: Tensor, truth: Tensor) -> float:
    """Return the mean distance between the features of each image and of its ground truth; both are (N, D)."""
    return float((rows.double() - truth.double()).square().sum(1).sqrt().mean())
