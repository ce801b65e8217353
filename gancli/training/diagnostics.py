"""Warnings about common failures, with what to try: D overpowers G, mode collapse, copied training images.

They are indications, not proofs: each is printed once and changes nothing in the training.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gancli.data.feed import Feed
from gancli.gan import GAN

Note = Callable[[str], None]

WON, FOR_GOOD = 0.02, 0.1  # share of D's initial loss, and share of training
EARLY = 100  # steps in which nobody has won yet
LEAST_LOSS = 0.2  # D's initial loss: one that starts nearer to 0 is a distance, which may take any value
ALIKE = 0.2  # share of the mean distance between two real images
LOOKED_AT, SIDE = 64, 8  # number of images compared, and their side in pixels


class DominanceCheck:
    """Warn when D's adversarial loss stays near 0: G then learns nothing from it."""

    def __init__(self, note: Note) -> None:
        self._note, self._first, self._since, self._said = note, None, 0.0, False

    def tick(self, means: Mapping[str, float], progress: float, step: int) -> None:
        """Check the mean loss since the last tick."""
        loss = means.get("D/adversarial")
        if loss is None or self._said:
            return
        self._first = loss if self._first is None else self._first
        if self._first < LEAST_LOSS or not 0 <= loss < WON * self._first:
            self._since = progress
        elif progress - self._since >= FOR_GOOD and step > EARLY:
            self._said = True
            self._note(
                f"warning   D overpowers G: its loss has been below {WON:.0%} of its initial value for "
                f"{FOR_GOOD:.0%} of training, so G learns nothing. Try a lower --lr, a lower --n-critic, more images, "
                "or a variant whose D has a gradient penalty or spectral norm"
            )


def warn_if_alike(gan: GAN[Any], feed: Feed[Any], note: Note) -> None:
    """Warn when the generated images are almost all the same."""
    spec = gan.spec
    if spec.points:
        return
    batch = feed.first(LOOKED_AT)
    reals = min(_variety(t) for t in vars(batch).values() if t.dim() == 4)
    share = _variety(gan.fakes(batch)) / max(reals, 1e-9)
    if share < ALIKE:
        note(
            f"warning   possible mode collapse: samples differ by only {share:.0%} of the training images' mean "
            "distance. This is normal early in training; otherwise try another --seed, a lower --lr, a larger --batch, "
            "or a variant with a Wasserstein loss"
        )


def warn_if_copied(share: float, most: float, note: Note) -> None:
    """Warn when too many samples are copies of training images."""
    if share > most:
        note(
            f"warning   {share:.0%} of the samples are copies of training images. Try more images, a smaller --width, "
            "or shorter training; gancli eval --neighbours shows the copies"
        )


def _variety(images: Tensor) -> float:
    """Return the mean pairwise distance between images (N, C, H, W), reduced to a few pixels."""
    small = F.interpolate(images.float(), size=(SIDE, SIDE), mode="area").flatten(1)
    return float(torch.pdist(small.cpu()).mean()) if len(small) > 1 else 0.0
