"""Score translators on the two built-in domains, where the true counterpart of every image is known.

The factors of a translation are recovered by re-rendering (`gancli.evaluation.known_truth.shapes`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gancli.capabilities import Translates
from gancli.data.sources import builtin
from gancli.data.synthetic import shapes
from gancli.evaluation.known_truth.shapes import VALID, read
from gancli.gan import GAN
from gancli.images.pixels import to_floats, to_pixels

Translate = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]  # images (N, C, S, S) to their translations
TRANSLATED = 300  # images per direction
HELD_OUT = 7  # added to the training images' seed


def score_gan(preset: shapes.Preset, gan: GAN[Any]) -> dict[str, float]:
    """Score every direction of a translator between the two domains of a preset; return {} for other models."""
    directions = gan.directions if isinstance(gan, Translates) else ()
    found = {direction: score_direction(preset, gan, direction) for direction in directions}
    return {f"{direction}_{name}": value for direction, scores in found.items() for name, value in scores.items()}


def score_direction(preset: shapes.Preset, gan: Any, direction: str) -> dict[str, float]:
    """Score one direction of a translator."""
    source = gan.spec.domains[0 if direction == "AB" else 1]
    return score(preset, _translation(gan, direction, gan.device), source, TRANSLATED, gan.spec.height)


def _translation(gan: Translates, direction: str, device: torch.device) -> Translate:
    @torch.no_grad()
    def translate(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image = to_floats(torch.from_numpy(pixels).to(device))
        parts = [gan.translate(part, direction) for part in image.split(100)]
        return to_pixels(torch.cat(parts)).transpose(0, 3, 1, 2)

    return translate


def score(preset: shapes.Preset, translate: Translate, source: str, n: int, side: int) -> dict[str, float]:
    """Translate `n` held-out images of the domain `source`, and compare the results with their true counterparts.

    `domain_right`: share with the target's texture. `iou`: mean overlap of the recovered and true shapes' filled
    silhouettes. `shape_right`, `colour_right`: share whose shape and colour are kept.
    """
    f = shapes.factors(preset, shapes.SEED + HELD_OUT, np.arange(n))
    pair = builtin.counterparts(preset, f)
    given, target = pair if source == builtin.DOMAINS[0] else pair[::-1]
    return compare(preset, target, translate(shapes.render(preset, given, side)))


def compare(preset: shapes.Preset, target: shapes.Factors, drawn: NDArray[np.uint8]) -> dict[str, float]:
    """Recover the factors of images (N, C, S, S) and compare them with the true ones."""
    found, rms = read(preset, drawn)
    side = drawn.shape[-1]
    covers, should = shapes.coverage(found, side), shapes.coverage(target, side)
    overlap = np.minimum(covers, should).sum((1, 2)) / np.maximum(np.maximum(covers, should).sum((1, 2)), 1e-6)
    right = {name: float((found[name] == target[name]).mean()) for name in ("texture", "shape", "colour")}
    return {
        "domain_right": right["texture"],
        "iou": float(overlap.mean()),
        "shape_right": right["shape"],
        "colour_right": right["colour"],
        "valid_share": float((rms < VALID).mean()),
    }
