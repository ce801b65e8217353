"""Networks that turn images into features, one file each.

An extractor takes uint8 images (N, 3, H, W) of any one size and gives features (N, D), and logits (N, K) if it has any.
"""

from typing import Protocol

from torch import Tensor


class Extractor(Protocol):
    """What every extractor is."""

    name: str  # of the protocol: scores of two different names are never compared
    weights: str  # names their content
    inception: bool  # whether its Frechet distance may be called FID
    official: bool  # whether the weights are the published ones
    precision: str
    resize: str  # what happens to images first
    batch: int  # images at a time at which it is fastest

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features and logits, float32, of uint8 images."""
        ...
