"""What a run's course means, in words, and what to try: D has won, samples are alike, samples copy the data.

These are signs, not proofs, so each is said once and changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gancli.data.feed import Feed
from gancli.gan import GAN

Note = Callable[[str], None]

WON, FOR_GOOD = 0.02, 0.1  # of D's loss at first, and of the run
LEAST_LOSS = 0.2  # at first: a loss that begins nearer to 0 is a distance, which may go anywhere
ALIKE = 0.2  # of the distance between two real images
LOOKED_AT, SIDE = 64, 8  # images that are compared, at so many pixels a side


class DominanceCheck:
    """Watches the loss of the player that tells reals from fakes: near 0 for long, the other learns nothing from it."""

    def __init__(self, note: Note) -> None:
        self._note, self._first, self._since, self._said = note, None, 0.0, False

    def tick(self, means: Mapping[str, float], progress: float) -> None:
        """Look at the means since the last tick."""
        loss = means.get("D/adversarial")
        if loss is None or self._said:
            return
        self._first = loss if self._first is None else self._first
        if self._first < LEAST_LOSS or not 0 <= loss < WON * self._first:
            self._since = progress
        elif progress - self._since >= FOR_GOOD:
            self._said = True
            self._note(
                f"warning   D tells every fake: its loss has been below {WON:.0%} of the first for {FOR_GOOD:.0%} of "
                "the run, so G learns nothing. Try a lower --lr, a lower --n-critic, more images, or a variant whose "
                "D has a gradient penalty or spectral norm"
            )


def warn_if_alike(gan: GAN[Any], feed: Feed[Any], note: Note) -> None:
    """Say when what a GAN makes of many rows of the data is nearly one image."""
    spec = gan.spec
    if spec.points:
        return
    batch = feed.first(LOOKED_AT)
    reals = min(_variety(t) for t in vars(batch).values() if t.dim() == 4)
    share = _variety(gan.fakes(batch)) / max(reals, 1e-9)
    if share < ALIKE:
        note(
            f"warning   the samples are alike: they differ by {share:.0%} of what the images of the data do. "
            "G has collapsed, or has only begun. Try another --seed, a lower --lr, a larger --batch, or a variant "
            "with a Wasserstein loss"
        )


def warn_if_copied(share: float, most: float, note: Note) -> None:
    """Say when too many samples are images of the data."""
    if share > most:
        note(
            f"warning   {share:.0%} of the samples are copies of training images. Try more images, a smaller --width, "
            "or a shorter training; gancli eval --neighbours shows them"
        )


def _variety(images: Tensor) -> float:
    """Mean distance between two images (N, C, H, W), of what is left of them at a few pixels."""
    small = F.interpolate(images.float(), size=(SIDE, SIDE), mode="area").flatten(1)
    return float(torch.pdist(small.cpu()).mean()) if len(small) > 1 else 0.0
