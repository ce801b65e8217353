"""SRGAN generators of github.com/leftthomas/SRGAN: block1, residual blocks, a block after them, and enlarging."""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed, without
from gancli.data.spec import DataSpec

KNOWN_BY = "leftthomas/SRGAN (block1.0, block2.conv1, …)"
SIZE = 96  # pixels a side of the crops in training; any size will do


def detect(tensors: State) -> bool:
    """Tell by the first two blocks."""
    return {"block1.0.weight", "block2.conv1.weight", "block2.bn1.running_mean"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert to an enlarger."""
    del asked
    tensors = without(tensors, "num_batches_tracked")
    residual = sorted({int(m[1]) for name in tensors if (m := re.match(r"block(\d+)\.conv1\.", name))})
    after, up = residual[-1] + 1, residual[-1] + 2
    ups = count(tensors, rf"block{up}\.(\d+)\.conv\.")
    table = [
        (r"block1\.(.*)", r"first.\1"),
        *((rf"block{number}\.(.*)", rf"body.{i}.\1") for i, number in enumerate(residual)),
        (rf"block{after}\.(.*)", r"after.\1"),
        (rf"block{up}\.{ups}\.(.*)", r"last.\1"),
        (rf"block{up}\.(.*)", r"up.\1"),
    ]
    features, channels = tensors["block1.0.weight"].shape[:2]
    options = {"features": features, "blocks": len(residual), "ups": ups}
    return Converted("srgan", options, DataSpec(channels, SIZE, SIZE), renamed(tensors, table))
