"""U-GAT-IT's generators in the layout of the authors' PyTorch code."""

import math

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed
from gancli.data.spec import DataSpec

KNOWN_BY = "U-GAT-IT (DownBlock.1, gap_fc, UpBlock2.2, …)"
SIZE, DOWN = 256, 2


def detect(tensors: State) -> bool:
    """Tell by the attention and the last block."""
    return {"gap_fc.weight", "UpBlock1_1.norm1.rho", "UpBlock2.2.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; all names stay. The full form tells its size, and is square."""
    del asked
    width, channels = tensors["DownBlock.1.weight"].shape[:2]
    rows, inputs = tensors["FC.0.weight"].shape
    side = SIZE if inputs == rows else math.isqrt(inputs // rows) << DOWN
    options = {"width": width, "blocks": count(tensors, r"UpBlock1_(\d+)\."), "light": inputs == rows}
    return Converted("ugatit", options, DataSpec(channels, side, side), renamed(tensors, [("(.*)", r"\1")]))
