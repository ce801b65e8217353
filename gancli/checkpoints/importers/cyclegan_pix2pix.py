"""Generators of the CycleGAN and pix2pix repository and of CUT's, recognised by tensor names and shapes."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import torch

from gancli.checkpoints.importers.layout import Asked, Converted, State, without
from gancli.data.spec import DataSpec

Found = tuple[str, dict[str, Any], DataSpec, State]
KNOWN_BY = "pytorch-CycleGAN-and-pix2pix and CUT (ResNet: model.1.weight …, U-Net: model.model.0.weight …)"
RESNET_SIZE, UNET_DEPTHS = 256, range(2, 11)
BUFFERS = "running_mean", "running_var", "num_batches_tracked", "filt"  # which these networks do without


def detect(tensors: State) -> bool:
    """Tell by the first layer."""
    return "model.1.weight" in tensors or "model.model.0.weight" in tensors


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert a ResNet or a U-Net."""
    plain = without(tensors, *BUFFERS)
    reader = from_unet if "model.model.0.weight" in plain else from_affine if _affine(plain) else from_resnet
    variant, options, spec, found = reader(plain)
    spec = dataclasses.replace(spec, domains=domains_of(asked.name))
    return Converted(variant, options, spec, {f"G.{name}": tensor for name, tensor in found.items()})


def domains_of(name: str) -> tuple[str, ...]:
    """Read the two domains from a name such as horse2zebra."""
    parts = re.sub(r"_(yosemite|flower)$", "", name).split("2")
    return (parts[0].split("_")[-1], parts[1]) if len(parts) == 2 and all(parts) else ()


def from_resnet(state: State) -> Found:
    """Convert a one-way ResNet translator as in CUT; without the blur layers it is CycleGAN's.

    Biases in front of norm layers are dropped: the norm cancels them.
    """
    top = sorted({int(k.split(".")[1]) for k in state if k.startswith("model.") and k.split(".")[1].isdigit()})
    blocks = [i for i in top if f"model.{i}.conv_block.1.weight" in state]
    width, channels = state["model.1.weight"].shape[:2]
    plain = [i for i in top if i not in blocks and f"model.{i}.weight" in state]
    if len(plain) != 6 or not blocks or state["model.1.weight"].dim() != 4:
        return "cut", {"blocks": 1}, DataSpec(3, RESNET_SIZE, RESNET_SIZE), {}
    antialias = plain[2] - plain[1] == 4  # conv, norm, ReLU, blur; without a blur the next one comes after three
    names = ["encoder.stem.0", "encoder.down.0.0", "encoder.down.1.0"]
    names += [f"decoder.up.{i}.{int(antialias)}" for i in (0, 1)] + ["decoder.head"]
    tensors = {f"{new}.weight": state[f"model.{old}.weight"] for new, old in zip(names, plain)}
    tensors["decoder.head.bias"] = state.get(f"model.{plain[-1]}.bias", torch.empty(0))
    for i, old in enumerate(blocks):
        second = 5 if f"model.{old}.conv_block.5.weight" in state else 6  # after a dropout
        for new, at in (("0", 1), ("3", second)):
            weight = state.get(f"model.{old}.conv_block.{at}.weight", torch.empty(0))
            tensors[f"encoder.blocks.{i}.net.{new}.weight"] = weight
    options = {"width": int(width), "blocks": len(blocks), "antialias": antialias}
    return "cut", options, DataSpec(int(channels), RESNET_SIZE, RESNET_SIZE), tensors


def _affine(state: State) -> bool:
    """Tell whether the first norm has a scale."""
    scale = state.get("model.2.weight")
    return scale is not None and scale.dim() == 1


def from_affine(state: State) -> Found:
    """Convert CycleGAN's ResNet with norms that have a scale and a shift, as some tutorials build it."""
    width, channels = state["model.1.weight"].shape[:2]
    inner = re.compile(r"model\.(\d+)\.(?:conv_)?block\.(\d+)\.(weight|bias)")
    blocks = sorted({int(match[1]) for name in state if (match := inner.fullmatch(name))})
    plain = sorted({int(name.split(".")[1]) for name in state} - {*blocks})
    halving = [i for i in plain if i < blocks[0]]
    doubling = [i for i in plain if i > blocks[-1]]
    names = ["encoder.stem", "encoder.down.0", "encoder.down.1", "decoder.up.0", "decoder.up.1"]
    tensors: State = {}
    for name, at in zip(names, [*halving[::2], *doubling[:-1:2]], strict=True):
        tensors[f"{name}.0.weight"] = state[f"model.{at}.weight"]
        tensors |= {f"{name}.1.{part}": state[f"model.{at + 1}.{part}"] for part in ("weight", "bias")}
    for i, block in enumerate(blocks):
        layers = sorted({int(match[2]) for key in state if (match := inner.fullmatch(key)) and int(match[1]) == block})
        label = "conv_block" if f"model.{block}.conv_block.{layers[0]}.weight" in state else "block"
        for new, old, parts in zip((0, 1, 3, 4), layers, (("weight",), ("weight", "bias")) * 2, strict=True):
            for part in parts:
                tensors[f"encoder.blocks.{i}.net.{new}.{part}"] = state[f"model.{block}.{label}.{old}.{part}"]
    tensors |= {f"decoder.head.{part}": state[f"model.{doubling[-1]}.{part}"] for part in ("weight", "bias")}
    spec = DataSpec(int(channels), RESNET_SIZE, RESNET_SIZE)
    return "resnet-translator", {"width": int(width), "blocks": len(blocks)}, spec, tensors


def from_unet(state: State) -> Found:
    """Convert a U-Net with batch norm, as in pix2pix, or with instance norm, as in CycleGAN."""
    width, channels = state["model.model.0.weight"].shape[:2]
    at, level = "model.model", 0
    tensors = _present(state, {f"down.0.0.{part}": f"{at}.0.{part}" for part in ("weight", "bias")})
    up: list[State] = []
    while f"{at}.{1 if level == 0 else 3}.model.1.weight" in state:
        at, level = f"{at}.{1 if level == 0 else 3}.model", level + 1
        inner = f"{at}.3.model.1.weight" not in state
        tensors[f"down.{level}.0.weight"] = state[f"{at}.1.weight"]
        if inner:
            tensors |= _present(state, {f"down.{level}.0.bias": f"{at}.1.bias"})
        else:
            tensors |= _norm(state, f"{at}.1", f"{at}.2", f"down.{level}.1", 0)
        convolution, behind = (f"{at}.{number}" for number in ((3, 4) if inner else (5, 6)))
        up.append({"0.weight": state[f"{convolution}.weight"]} | _norm(state, convolution, behind, "1", 1))
    for i, layers in enumerate(reversed(up)):
        tensors |= {f"up.{i}.{name}": tensor for name, tensor in layers.items()}
    tensors |= _present(state, {f"head.{k}": f"model.model.3.{k}" for k in ("weight", "bias")})
    side = 2 ** (level + 1)
    spec = DataSpec(int(channels), side, side)
    variant = "unet-translator" if "down.0.0.bias" in tensors else "pix2pix"
    return variant, {"width": int(width)}, spec, tensors if level + 1 in UNET_DEPTHS else {}


def _norm(state: State, convolution: str, norm: str, name: str, axis: int) -> State:
    """Return scale and shift of a norm: 1 and 0 for an instance norm, which takes out the convolution's bias."""
    if f"{convolution}.bias" not in state:
        return _present(state, {f"{name}.{part}": f"{norm}.{part}" for part in ("weight", "bias")})
    width = state[f"{convolution}.weight"].shape[axis]
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}


def _present(state: State, names: Mapping[str, str]) -> State:
    return {new: state[old] for new, old in names.items() if old in state}
