"""How far a picture is from the one that it should be, as a network sees both."""

from torch import Tensor


def feature_distance(rows: Tensor, truth: Tensor) -> float:
    """Mean distance between the features of each image and of its own truth; (N, D) both, row by row."""
    return float((rows.double() - truth.double()).square().sum(1).sqrt().mean())
