"""StyleGAN in the layout of github.com/rosinality/style-based-gan-pytorch.

Every layer there has the gain sqrt(2): those to RGB, of styles and of noise have none here. The mapping network here
keeps its parameters divided by its learning rate, and gives their sum the gain.
"""

import torch

from gancli.checkpoints.importers.layout import Asked, Converted, State, count
from gancli.checkpoints.importers.styles.stylegans import COARSEST, stylegan
from gancli.errors import UserError
from gancli.nets.high_fidelity.mapping import GAIN, SLOWER

KNOWN_BY = "rosinality's StyleGAN (generator.progression.0.conv1.input, style.1.linear.weight_orig, …)"
FUSED = 4  # places over which the kernel of a transposed convolution is averaged, where repeating pixels sums it


def detect(tensors: State) -> bool:
    """Tell by the constant and the mapping network."""
    return {"generator.progression.0.conv1.input", "style.1.linear.weight_orig"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; the layers of all resolutions are in every file, so the size has to be said."""
    level = _level(count(tensors, r"generator\.progression\.(\d+)\."), asked)
    found: State = {}
    for i in range(count(tensors, r"style\.(\d+)\.linear\.bias")):
        theirs = f"style.{2 * i + 1}.linear"
        found[f"mapping.fc{i}.weight"] = tensors[f"{theirs}.weight_orig"] / SLOWER
        found[f"mapping.fc{i}.bias"] = tensors[f"{theirs}.bias"] / SLOWER / GAIN
    for at in range(level + 1):
        head = f"generator.progression.{at}."
        part = {name.removeprefix(head): tensor for name, tensor in tensors.items() if name.startswith(head)}
        found |= {f"synthesis.blocks.{at}.{name}": tensor for name, tensor in _block(part).items()}
    theirs, mine = f"generator.to_rgb.{level}.conv", f"synthesis.to_rgb.{level}"
    found[f"{mine}.weight"] = tensors[f"{theirs}.weight_orig"] * GAIN
    found[f"{mine}.bias"] = tensors[f"{theirs}.bias"]
    return stylegan(found, level)


def _level(levels: int, asked: Asked) -> int:
    """Return the level of the images that were asked for."""
    sides = [COARSEST << level for level in range(1, levels)]
    if asked.size is None or asked.size[0] != asked.size[1] or asked.size[0] not in sides:
        raise UserError(
            "rosinality's StyleGAN files do not say the size of their images, which their names usually do: "
            f"give --size, one of {', '.join(map(str, sides))}"
        )
    return sides.index(asked.size[0]) + 1


def _block(part: State) -> State:
    """Rename the tensors of a level."""
    found = _first(part) | {"conv2.weight": part["conv2.conv.weight_orig"], "style2.bias": part["conv2.conv.bias"]}
    found["style1.bias"] = torch.zeros_like(found["style2.bias"])  # the convolution's is filtered too
    for i in (1, 2):
        strength = part[f"noise{i}.weight_orig"].flatten()
        found[f"style{i}.noise_strength"] = strength * (2 / len(strength)) ** 0.5
        found[f"style{i}.affine.weight"] = part[f"adain{i}.style.linear.weight_orig"] * GAIN
        found[f"style{i}.affine.bias"] = part[f"adain{i}.style.linear.bias"]
    return found


def _first(part: State) -> State:
    """Rename the constant or the first convolution of a level, which is a transposed one from 128 pixels on."""
    if "conv1.input" in part:
        return {"const": part["conv1.input"]}
    if "conv1.0.weight" in part:
        weight = part["conv1.0.weight"].transpose(0, 1).flip(2, 3) / FUSED  # a transposed one turns its kernel
        return {"conv1.weight": weight, "conv1.bias": part["conv1.0.bias"]}
    return {"conv1.weight": part["conv1.1.conv.weight_orig"], "conv1.bias": part["conv1.1.conv.bias"]}
