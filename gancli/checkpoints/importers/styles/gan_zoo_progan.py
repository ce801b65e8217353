"""ProGAN ("PGAN") in the layout of github.com/facebookresearch/pytorch_GAN_zoo."""

from typing import Any

from gancli.checkpoints.importers.layout import Asked, Converted, State, count
from gancli.checkpoints.importers.styles.stylegans import COARSEST, grown, listed, side_of, wide
from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.progan import GAIN

KNOWN_BY = "pytorch_GAN_zoo's PGAN (formatLayer.module.weight, scaleLayers.0.0.module.weight, …)"


def detect(tensors: State) -> bool:
    """Tell by the first layer and the convolution after it."""
    return {"formatLayer.module.weight", "groupScale0.0.module.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; a label input cannot be told from noise, so the user names the classes.

    Their factor sqrt(2 / fan in) also scales biases, and the weights of layers to RGB, whose gain is 1 here.
    """
    level = count(tensors, r"scaleLayers\.(\d+)\.")
    found = grown(level, "G.")
    for name, tensor in tensors.items():
        layer, _, kind = name.partition(".module.")
        if layer.startswith("toRGBLayers.") and layer != f"toRGBLayers.{level}":
            continue  # of coarser images
        weight = tensors[f"{layer}.module.weight"]
        gain = (2 / weight[0].numel()) ** 0.5 if kind == "bias" else GAIN if layer.startswith("toRGB") else 1.0
        found[f"G.{_renamed(layer)}.{kind}"] = tensor * gain
    side = side_of(level + 1)
    first = found["G.input.weight"]
    channels = [len(first) // COARSEST**2, *(len(found[f"G.blocks.{at}.0.bias"]) for at in range(1, level + 1))]
    regular = None if asked.classes else wide(channels)
    options: dict[str, Any] = regular | {"grow": False} if regular else {"widths": listed(channels)}
    options["z_dim"] = first.shape[1] - len(asked.classes)
    spec = DataSpec(len(found[f"G.to_rgb.{level}.bias"]), side, side, asked.classes)
    return Converted("progan" if regular else "progan-generator", options, spec, found)


def _renamed(layer: str) -> str:
    if layer.startswith("scaleLayers."):
        _, level, index = layer.split(".")
        return f"blocks.{int(level) + 1}.{index}"
    return {"formatLayer": "input", "groupScale0.0": "blocks.0.0"}.get(layer, layer.replace("toRGBLayers", "to_rgb"))
