"""pix2pixHD's generators in the layout of the authors' code: model, and with a local enhancer model1_1 and model1_2.

Biases in front of norms are left out: the norms take them out again.
"""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, has_edges, renamed
from gancli.data.spec import DataSpec

KNOWN_BY = "pix2pixHD (model.1 of labels, model.13.conv_block.1, model1_1.1, …)"
HEIGHT, WIDTH = 512, 1024
LAYERS = 3  # convolution, norm and activation
USUAL = 2  # halvings of CycleGAN's generator, which has the same names


def detect(tensors: State) -> bool:
    """Tell it from CycleGAN's generator by the local enhancer, by planes that are no colours, or by more halvings."""
    first = tensors.get("model.1.weight")
    if first is None or first.dim() != 4 or not _blocks(tensors, "model"):
        return False
    return "model1_1.1.weight" in tensors or first.shape[1] > 4 or _down(tensors) > USUAL


def _blocks(tensors: State, part: str) -> list[int]:
    return sorted({int(m[1]) for name in tensors if (m := re.match(rf"{part}\.(\d+)\.conv_block\.", name))})


def _down(tensors: State) -> int:
    """Count the halvings: 4, 7, … up to the first residual block."""
    return (_blocks(tensors, "model")[0] - 4) // LAYERS


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert, whatever the widths and depths."""
    local = _blocks(tensors, "model1_2")
    inner = "coarse." if local else ""
    found = renamed(_kept(tensors), [*_coarse(tensors, inner), *_local(len(local))])
    first = tensors["model1_1.1.weight" if local else "model.1.weight"]
    blocks = len(_blocks(tensors, "model"))
    options = {"inputs": first.shape[1], "width": first.shape[0], "down": _down(tensors), "blocks": blocks}
    channels = found["G.decoder.head.weight"].shape[0]
    options |= {"local": len(local), "edges": has_edges(first.shape[1], asked)}
    return Converted("pix2pixhd", options, DataSpec(channels, HEIGHT, WIDTH), found)


def _kept(tensors: State) -> State:
    """Leave out biases, except that of the last layer."""
    last = max((name for name in tensors if name.endswith(".bias")), key=_place)
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(".bias") or name == last}


def _place(name: str) -> tuple[str, int]:
    part, number = name.split(".")[:2]
    return part, int(number)


def _coarse(tensors: State, inner: str) -> list[tuple[str, str]]:
    down, blocks = _down(tensors), _blocks(tensors, "model")
    after = blocks[-1] + 1
    table = [(r"model\.1\.(.*)", rf"{inner}encoder.stem.0.\1")]
    table += [(rf"model\.{4 + LAYERS * i}\.(.*)", rf"{inner}encoder.down.{i}.0.\1") for i in range(down)]
    for i, block in enumerate(blocks):
        table += [(rf"model\.{block}\.conv_block\.1\.(.*)", rf"{inner}encoder.blocks.{i}.net.0.\1")]
        table += [(rf"model\.{block}\.conv_block\.[56]\.(.*)", rf"{inner}encoder.blocks.{i}.net.3.\1")]
    table += [(rf"model\.{after + LAYERS * i}\.(.*)", rf"{inner}decoder.up.{i}.0.\1") for i in range(down)]
    return [*table, (r"model\.\d+\.(.*)", r"decoder.head.\1")]


def _local(blocks: int) -> list[tuple[str, str]]:
    table = [(r"model1_1\.1\.(.*)", r"encoder.stem.0.\1"), (r"model1_1\.4\.(.*)", r"encoder.down.0.0.\1")]
    for i in range(blocks):
        table += [(rf"model1_2\.{i}\.conv_block\.1\.(.*)", rf"decoder.blocks.{i}.net.0.\1")]
        table += [(rf"model1_2\.{i}\.conv_block\.[56]\.(.*)", rf"decoder.blocks.{i}.net.3.\1")]
    table += [(rf"model1_2\.{blocks}\.(.*)", r"decoder.up.0.0.\1")]
    return [*table, (r"model1_2\.\d+\.(.*)", r"decoder.head.\1")]
