"""DCGAN generators of PyTorch's examples and of what followed them, and of facebookresearch/pytorch_GAN_zoo.

Layers are told by their shapes, so that a dropout between them, which shifts the numbers in the names, does no harm.
"""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, without
from gancli.data.spec import DataSpec

KNOWN_BY = "DCGAN of PyTorch's examples (main.0, main.1, … with 4x4 kernels) and of pytorch_GAN_zoo (formatLayer)"
KERNEL, COARSEST = 4, 4
NAMED = re.compile(r"main\.(\d+|batchNorm\d+|convTranspose\d+|outlayer)|formatLayer")
STATISTICS = ("weight", "bias", "running_mean", "running_var")


def _layers(tensors: State) -> list[str]:
    """Name the layers in the order of their numbers; the zoo's convolutions come before their norms."""

    def place(layer: str) -> tuple[int, bool]:
        number = re.search(r"(\d+)$", layer)
        if layer == "formatLayer":
            return -1, False
        return (int(number[1]) if number else 10**6), "convTranspose" not in layer

    return sorted({name.rpartition(".")[0] for name in tensors}, key=place)


def detect(tensors: State) -> bool:
    """Tell by a first convolution of 4x4 pixels, from a latent, with a batch norm that follows it."""
    layers = _layers(tensors)
    first = tensors.get(f"{layers[0]}.weight") if layers else None
    norms = any(name.endswith("running_var") for name in tensors)
    named = all(
        re.fullmatch(r"main\.(\d+|batchNorm\d+|convTranspose\d+|outlayer)|formatLayer", layer) for layer in layers
    )
    return norms and named and first is not None and first.shape[2:] == (KERNEL, KERNEL)


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; a label input cannot be told from noise, so the user names the classes."""
    tensors = without(tensors, "num_batches_tracked")
    layers = _layers(tensors)
    convolutions = [layer for layer in layers if tensors[f"{layer}.weight"].dim() == 4]
    norms = [layer for layer in layers if f"{layer}.running_var" in tensors]
    if any(tensors[f"{layer}.weight"].shape[2:] != (KERNEL, KERNEL) for layer in convolutions):
        raise ValueError(f"kernels of {KERNEL}x{KERNEL} pixels in every layer")
    bias = f"{convolutions[0]}.bias" in tensors
    found = {
        f"G.{kind}.{i}.{part}": tensors[f"{layer}.{part}"]
        for kind, names, parts in (
            ("convolutions", convolutions, ("weight", "bias")[: 1 + bias]),
            ("norms", norms, STATISTICS),
        )
        for i, layer in enumerate(names)
        for part in parts
    }
    inputs = tensors[f"{convolutions[0]}.weight"].shape[0]
    widths = [tensors[f"{layer}.weight"].shape[1] for layer in convolutions]
    side = COARSEST << (len(convolutions) - 1)
    options = {"z_dim": inputs - len(asked.classes), "widths": ",".join(map(str, widths[:-1])), "bias": bias}
    return Converted("dcgan-tutorial", options, DataSpec(widths[-1], side, side, asked.classes), found)
