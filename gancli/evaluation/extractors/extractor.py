"""Networks that turn images into features, one file each.

An extractor maps uint8 images (N, 3, H, W) of any single size to features (N, D), and logits (N, K) if it has classes.
It also takes float32 images in [0, 255]: where a level is too coarse, as for path lengths.
"""

from typing import Protocol

from torch import Tensor


class Extractor(Protocol):
    """The interface of every extractor."""

    name: str  # in the protocol: scores with different names are never compared
    weights: str  # a hash of their content
    inception: bool  # whether its Frechet distance may be called FID
    official: bool  # whether the weights are the published ones
    precision: str
    resize: str  # how images are resized first
    batch: int  # the fastest batch size

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features and logits, float32, of uint8 images."""
        ...
