"""Residual generators, whoever wrote them: each code base's importer gives their tensors the names of our network."""

import math
import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, count
from gancli.data.spec import DataSpec
from gancli.errors import UserError

MOST_BLOCKS = 12  # 16,384 pixels


def converted(
    found: State, asked: Asked, *, eps: float = 1e-5, centre: float = 1.0, bilinear: bool = False
) -> Converted:
    """Convert tensors that are named as in `resnet_gan.Generator`, except that attention is beside its block.

    Tables of gains and biases have a column for each class, or for each value of the shared embedding.
    """
    channels, size = _channels(found), found["linear.weight"].shape
    code = found["blocks.0.norm1.gain.weight"].shape[1] if "blocks.0.norm1.gain.weight" in found else 0
    if not code:
        found = {name: tensor for name, tensor in found.items() if name != "codes.embed.weight"}  # nothing uses it
    embedding, classes = found["codes.embed.weight"].shape if "codes.embed.weight" in found else (0, code)
    part, blocks = (code - embedding if embedding else 0), len(channels) - 1
    attended = [i for i in range(blocks) if f"blocks.{i}.attention.gamma" in found]
    options = {
        "z_dim": size[1] + part * blocks,
        "channels": ",".join(map(str, channels)),
        "embedding": embedding,
        "part": part,
        "attention": ",".join(str(i + 1) for i in attended),
        "eps": eps,
        "centre": centre,
        "bilinear": bilinear,
    }
    side = coarsest(size[0], channels[0]) << blocks
    spec = DataSpec(found["head.weight"].shape[0], side, side, class_names(asked, classes))
    return Converted("residual-gan", options, spec, {f"G.{nested(name, attended)}": t for name, t in found.items()})


def _channels(found: State) -> list[int]:
    blocks = count(found, r"blocks\.(\d+)\.conv1\.weight")
    first = [found[f"blocks.{i}.conv1.weight"] for i in range(blocks)]
    channels = [*(weight.shape[1] for weight in first), *(weight.shape[0] for weight in first[-1:])]
    if not 1 <= blocks <= MOST_BLOCKS or not all(channels):
        raise ValueError(f"1 to {MOST_BLOCKS} blocks with channels")
    return channels


def coarsest(outputs: int, channels: int) -> int:
    """Return the side of the feature maps that the first layer makes; raise ValueError if they are not square."""
    side = math.isqrt(outputs // channels)
    if not side or side * side * channels != outputs:
        raise ValueError("a first layer that makes square feature maps")
    return side


def nested(name: str, attended: list[int]) -> str:
    """Name a tensor as the network does, in which attention holds the block that it follows."""
    match = re.fullmatch(r"blocks\.(\d+)\.(.*)", name)
    inside = match and int(match[1]) in attended and not match[2].startswith("attention.")
    return f"blocks.{match[1]}.block.{match[2]}" if match and inside else name


def class_names(asked: Asked, classes: int) -> tuple[str, ...]:
    """Return the names that the user gives the classes, or numbers; raise UserError if there are not as many."""
    if asked.classes and len(asked.classes) != classes:
        raise UserError(f"--classes: the model has {classes} classes, not {len(asked.classes)}")
    return asked.classes or tuple(map(str, range(classes)))


def without_gaps(tensors: State, before: str, attention: str) -> State:
    """Number blocks without the attentions that stand between them in a list: BEFORE.I.0.…, and BEFORE.I.1.… after I.

    `attention` ends the name of a tensor that only an attention has.
    """
    entry = re.compile(rf"{re.escape(before)}\.(\d+)\.")
    found = {name: int(match[1]) for name in tensors if (match := entry.match(name))}
    between = {at for name, at in found.items() if name.endswith(attention)}

    def place(match: re.Match[str]) -> str:
        at = int(match[1])
        return f"{before}.{at - sum(other <= at for other in between)}.{int(at in between)}."

    return {entry.sub(place, name, count=1): tensor for name, tensor in tensors.items()}
