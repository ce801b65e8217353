"""Read the weights of ncnn models: a .param file lists the layers in words, and a .bin holds their numbers in a row.

Format: github.com/Tencent/ncnn, docs/developer-guide, "param and model file structure".
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gancli.system.untrusted.bounds import Bounded, opened
from gancli.system.untrusted.door import read_bytes, reading

MAGIC, HALF = "7767517", 0x01306B47
MOST_TEXT, MOST_LAYERS = 2**22, 10_000
WEIGHTLESS = (
    "Input", "Split", "Concat", "BinaryOp", "UnaryOp", "Interp", "PixelShuffle", "ReLU", "Eltwise", "Crop", "Clip"
)  # fmt: skip


@dataclass(frozen=True)
class Numbers:
    """A convolution, or the slopes of a PReLU, which have no bias."""

    kind: str
    weight: Tensor  # (outputs, inputs, k, k), or (slopes,)
    bias: Tensor | None


def is_ncnn(path: Path) -> bool:
    """Tell whether a file is one of the two of an ncnn model: its .param, or a .bin with a .param beside it."""
    return path.suffix == ".param" or (path.suffix == ".bin" and path.with_suffix(".param").is_file())


def load(path: Path) -> list[Numbers]:
    """Read the layers that have weights, in the order of the network; raise UserError if a file is damaged."""
    text = path.with_suffix(".param")
    with reading(str(text)):
        lines = read_bytes(text, MOST_TEXT).decode("ascii").split("\n")
        if lines[0].strip() != MAGIC:
            raise ValueError("it is not the text of an ncnn model")
        if len(lines) > MOST_LAYERS:
            raise ValueError(f"it has more than {MOST_LAYERS:,} layers")
        described = [line.split() for line in lines[2:] if line.strip()]
    with opened(path.with_suffix(".bin")) as file:
        found = [layer for words in described if (layer := _layer(words, file))]
        if file.read(1):
            raise ValueError("it holds more than its .param says")
    return found


def _layer(words: list[str], file: Bounded) -> Numbers | None:
    kind, said = words[0], {}
    for word in words[4:]:
        name, given, value = word.partition("=")
        if given and name.isascii() and name.isdigit() and value.isascii() and value.isdigit():
            said[int(name)] = int(value)
    if kind == "PReLU":
        return Numbers(kind, _numbers(file, said[0], "<f4"), None)
    if kind != "Convolution":
        if kind in WEIGHTLESS:
            return None
        raise ValueError(f"its layers of the kind {kind[:40]} are not supported")
    outputs, side, count = said[0], said[1], said[6]
    inputs = count // (outputs * side**2)
    if inputs * outputs * side**2 != count:
        raise ValueError("the sizes of a convolution contradict each other")
    (flag,) = np.frombuffer(_exactly(file, 4), "<u4")
    if flag not in (0, HALF):
        raise ValueError("it is quantised, which is not supported")
    weight = _numbers(file, count, "<f2" if flag else "<f4")
    return Numbers(
        kind, weight.reshape(outputs, inputs, side, side), _numbers(file, outputs, "<f4") if said.get(5) else None
    )


def _numbers(file: Bounded, count: int, form: str) -> Tensor:
    """Read numbers, which fill whole words of four bytes."""
    size = count * np.dtype(form).itemsize
    content = _exactly(file, math.ceil(size / 4) * 4)
    return torch.from_numpy(np.frombuffer(content[:size], form).astype(np.float32))


def _exactly(file: Bounded, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise ValueError("it ends too early")
    return content
