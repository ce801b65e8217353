"""Masks of concepts for the built-in shapes: foreground, shapes and colours.

A point has one label: 0 for the ground, else 1 + shape * colours + colour, where shape `UNKNOWN` is none of the shapes.
Letters as in `gancli.data.synthetic.shapes`; K labels, C concepts.
"""

import numpy as np
from numpy.typing import NDArray

from gancli.data.synthetic.shapes import SHAPES, Preset, coverage
from gancli.evaluation.known_truth.shapes import VALID, differences, nearest_colour, read

FOREGROUND = "foreground"
UNKNOWN = len(SHAPES)
VISIBLE = 0.3  # difference from the ground, about half of what the least visible colour has


def concepts(preset: Preset) -> tuple[str, ...]:
    """Return the names of the concepts; a single colour is the same as the foreground."""
    colours = tuple(preset.colours) if len(preset.colours) > 1 else ()
    return (FOREGROUND, *SHAPES, *colours)


def members(preset: Preset) -> NDArray[np.bool_]:
    """Return which labels belong to which concepts (K, C)."""
    shape, colour = np.divmod(np.arange((UNKNOWN + 1) * len(preset.colours)), len(preset.colours))
    of_shape = shape[:, None] == np.arange(len(SHAPES))
    of_colour = colour[:, None] == np.arange(len(preset.colours))
    columns = [np.ones((len(shape), 1), bool), of_shape, *([of_colour] if len(preset.colours) > 1 else [])]
    return np.concatenate([np.zeros((1, len(concepts(preset))), bool), np.concatenate(columns, 1)])


def exact(preset: Preset, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the labels (N, S, S) of valid images (N, C, S, S), from the factors that render them; -1 for others."""
    f, rms = read(preset, images)
    of_image = 1 + f["shape"] * len(preset.colours) + f["colour"]
    label = np.where(coverage(f, images.shape[-1]) > 0.5, of_image[:, None, None], 0)
    # an image of nothing but the ground is near a rendering of the smallest shape
    valid = (rms < VALID) & (by_point(preset, images) > 0).any((1, 2))
    return np.where(valid[:, None, None], label, -1).astype(np.int64)


def by_point(preset: Preset, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return labels (N, S, S) of any images (N, C, S, S), point by point, of no known shape.

    A point that differs from the ground has the colour of the nearest hue. The image need not show a shape.
    """
    pixels = np.repeat(images, 3 // images.shape[1], 1).astype(np.float32) / np.float32(255)
    _, difference = differences(preset, pixels)
    flat = pixels.transpose(0, 2, 3, 1).reshape(-1, 3)
    colour = nearest_colour(preset, flat).reshape(difference.shape)
    return np.where(difference > VISIBLE, 1 + UNKNOWN * len(preset.colours) + colour, 0).astype(np.int64)
