"""SNGAN, SSGAN, InfoMax-GAN and cGAN-PD in the layout of torch-mimicry, which enlarges bilinearly."""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed, without
from gancli.checkpoints.importers.residual import network

KNOWN_BY = "torch-mimicry (l1, block2.c1, block2.b1, …)"
FIRST = 2  # the number of the first block, since the linear layer is layer 1
PLAIN = (
    (r"l1\.(.*)", r"linear.\1"),
    (r"(blocks\.\d+)\.c([12])\.(.*)", r"\1.conv\2.\3"),
    (r"(blocks\.\d+)\.c_sc\.(.*)", r"\1.shortcut.\2"),
    (r"(blocks\.\d+)\.b([12])\.(weight|bias|running_.*)", r"\1.norm\2.norm.\3"),
    (r"b\d+\.(.*)", r"norm.\1"),
    (r"[cl]\d+\.(.*)", r"head.\1"),
)
NAMES = (
    *PLAIN,
    (r"(blocks\.\d+)\.b([12])\.bn\.(running_.*)", r"\1.norm\2.norm.\3"),
    (r"(blocks\.\d+)\.b([12])\.(gain|bias)\.weight", r"\1.norm\2.\3.weight"),
)


def detect(tensors: State) -> bool:
    """Tell by the first layer and the first block."""
    return {"l1.weight", "block2.c1.weight", "block2.c_sc.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; a table has a row for each class, first of gains, which are absolute, then of biases."""
    split: State = {}
    for name, tensor in numbered(without(tensors, "num_batches_tracked")).items():
        if name.endswith(".embed.weight"):
            norm = name.removesuffix(".embed.weight")
            split[f"{norm}.gain.weight"], split[f"{norm}.bias.weight"] = tensor.transpose(0, 1).chunk(2)
        else:
            split[name] = tensor
    return network.converted(renamed(split, NAMES, prefix=""), asked, centre=0.0, bilinear=True)


def numbered(tensors: State) -> State:
    """Number the blocks from 0: block2.… becomes blocks.0.…."""
    pattern = re.compile(r"block(\d+)\.")
    return {pattern.sub(lambda m: f"blocks.{int(m[1]) - FIRST}.", name, count=1): t for name, t in tensors.items()}
