"""ESRGAN's and Real-ESRGAN's weights in the three layouts that exist of them, and the compact network's."""

import re
from itertools import count as counted

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed
from gancli.data.spec import DataSpec

KNOWN_BY = "ESRGAN and Real-ESRGAN (conv_first…, model.1.sub…, or body.0.weight)"
SIZE = 256  # pixels a side; any size will do

OLDEST = (  # where the numbers of the last layers depend on how often the size doubles
    (r"model\.0\.(.*)", r"conv_first.\1"),
    (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(.*)", r"body.\1.rdb\2.conv\3.\4"),
    (r"model\.1\.sub\.\d+\.(weight|bias)", r"conv_body.\1"),
)
ESRGAN = (
    (r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.(.*)", r"body.\1.rdb\2.conv\3.\4"),
    (r"trunk_conv\.(.*)", r"conv_body.\1"),
    (r"upconv(\d)\.(.*)", r"conv_up\1.\2"),
    (r"HRconv\.(.*)", r"conv_hr.\1"),
)
BASICSR = ((r"((?:conv_first|body|conv_body|conv_up\d|conv_hr|conv_last)\..*)", r"\1"),)


def detect(tensors: State) -> bool:
    """Tell by the first convolution of a dense block, or of the compact network."""
    blocks = re.compile(r"(model\.1\.sub|RRDB_trunk|body)\.0\.(RDB|rdb)1\.conv1(\.0)?\.weight")
    return any(map(blocks.fullmatch, tensors)) or _compact(tensors)


def _compact(tensors: State) -> bool:
    slopes = tensors.get("body.1.weight")
    return slopes is not None and slopes.dim() == 1 and "body.0.weight" in tensors


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert to an enlarger."""
    del asked
    if _compact(tensors):
        return _converted_compact(tensors)
    if "model.0.weight" in tensors:
        ends = sorted({int(name.split(".")[1]) for name in tensors} - {0, 1})  # the doublings, then hr and last
        ups = len(ends) - 2
        names = [*(f"conv_up{i}" for i in range(1, ups + 1)), "conv_hr", "conv_last"]
        numbered = tuple((rf"model\.{old}\.(.*)", rf"{new}.\1") for old, new in zip(ends, names))
        found = renamed(tensors, (*OLDEST, *numbered))
    else:
        found = renamed(tensors, (*ESRGAN, *BASICSR))
    first, dense = found["G.conv_first.weight"], found["G.body.0.rdb1.conv1.weight"]
    channels = found["G.conv_last.weight"].shape[0]
    fold = next(side for side in counted(1) if channels * side**2 >= first.shape[1])
    ups = count(found, r"G\.conv_up(\d)")
    blocks = count(found, r"G\.body\.(\d+)\.")
    options = {"features": first.shape[0], "growth": dense.shape[0], "blocks": blocks, "ups": ups, "fold": fold}
    return Converted("esrgan", options, DataSpec(channels, SIZE, SIZE), found)


def _converted_compact(tensors: State) -> Converted:
    first = tensors["body.0.weight"]
    features, channels = first.shape[:2]
    last = tensors[f"body.{max(int(name.split('.')[1]) for name in tensors)}.weight"]
    upscale = next(side for side in counted(1) if channels * side**2 >= last.shape[0])
    layers = sum(tensor.dim() == 4 for tensor in tensors.values()) - 2
    found = renamed(tensors, [(r"(body\..*)", r"\1")])
    options = {"features": features, "layers": layers, "upscale": upscale}
    return Converted("realesrgan-compact", options, DataSpec(channels, SIZE, SIZE), found)
