"""StyleGAN2 in the layout of github.com/rosinality/stylegan2-pytorch: NVlabs' tensors by other names."""

import re

from torch import Tensor

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed
from gancli.checkpoints.importers.styles import nvlabs_stylegan2
from gancli.checkpoints.importers.styles.stylegans import COARSEST, fixed_noise, mean_style
from gancli.nets.layers.resampling.resample import fir

AXES = {"const": 3, "noise_const": 2, "noise_strength": 0}
KNOWN_BY = "rosinality's StyleGAN2 (input.input, convs.0.conv.modulation.weight, …)"
UPSAMPLED = 4  # the gain of up-sampling, which their filters hold
PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
    "conv.blur.kernel": "resample_filter",
}


def detect(tensors: State) -> bool:
    """Tell by the constant and the first convolution."""
    return {"input.input", "conv1.conv.modulation.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; a mean style and noise that are not in the file are made."""
    levels = count(tensors, r"to_rgbs\.(\d+)\.conv\.weight")
    held = {name: tensor for name, tensor in tensors.items() if "." in name}
    found = {name: _shaped(name, tensor) for name, tensor in renamed(held, _table(levels), "").items()}
    found["synthesis.b4.resample_filter"] = fir()  # unused
    for layer in [name.removesuffix(".noise_strength") for name in found if name.endswith(".noise_strength")]:
        side = int(layer.split(".")[1].removeprefix("b"))
        found.setdefault(f"{layer}.noise_const", fixed_noise(side))
    mean = tensors.get("latent_avg")  # some forks keep one for each layer, all the same
    mean = mean_style(found) if mean is None else mean.reshape(-1, mean.shape[-1]).mean(0)
    return nvlabs_stylegan2.convert(found | {"mapping.w_avg": mean}, asked)


def _table(levels: int) -> list[tuple[str, str]]:
    """Return what renames the layers, which they number through, by resolution."""
    sides = [COARSEST << level for level in range(levels + 1)]
    layers = [("conv1", "b4.conv1"), ("to_rgb1", "b4.torgb")]
    for i, side in enumerate(sides[1:]):
        layers += [(f"convs.{2 * i + j}", f"b{side}.conv{j}") for j in (0, 1)] + [(f"to_rgbs.{i}", f"b{side}.torgb")]
    noises = [(0, "b4.conv1"), *((2 * i + 1 + j, f"b{s}.conv{j}") for i, s in enumerate(sides[1:]) for j in (0, 1))]
    return [
        *((rf"style\.{i + 1}\.(.*)", rf"mapping.fc{i}.\1") for i in range(99)),
        (r"input\.input", "synthesis.b4.const"),
        *((re.escape(f"{old}.{part}"), f"synthesis.{new}.{PARTS[part]}") for old, new in layers for part in PARTS),
        *(
            (rf"to_rgbs\.{i}\.upsample\.kernel", f"synthesis.b{side}.resample_filter")
            for i, side in enumerate(sides[1:])
        ),
        *((rf"noises\.noise_{i}", f"synthesis.{new}.noise_const") for i, new in noises),
    ]


def _shaped(name: str, tensor: Tensor) -> Tensor:
    """Drop the leading axes that NVlabs' tensors do without, and the gain of filters."""
    kind = name.rpartition(".")[2]
    if kind == "resample_filter":
        return tensor / UPSAMPLED
    if kind == "bias":
        return tensor.flatten()
    axes = AXES.get(kind, 4 if tensor.dim() == 5 else tensor.dim())
    return tensor.reshape(tensor.shape[tensor.dim() - axes :])
