"""NVlabs' StyleGAN3, t and r."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from gancli.checkpoints.importers.layout import Asked, Converted, State
from gancli.checkpoints.importers.styles.stylegans import LARGEST, averaged, class_names, mapping_of, roundest
from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.stylegan3 import CRITICAL, TAPS, Band, Shape, bands
from gancli.nets.layers.resampling.filtered import lowpass

KNOWN_BY = "NVlabs' StyleGAN3 (synthesis.input.freqs, synthesis.L0_36_512.weight, …)"
LAYER = re.compile(r"(synthesis\.L(\d+)_(\d+)_(\d+))\.weight")
CLOSE = 1e-3  # of filters that are the same but for rounding


def detect(tensors: State) -> bool:
    """Tell by the waves of the input."""
    return {"synthesis.input.freqs", "mapping.fc0.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; all names stay. The names of the layers tell their sizes and channels."""
    layers = sorted((int(m[2]), m[1], int(m[3]), int(m[4])) for name in tensors if (m := LAYER.fullmatch(name)))
    if len(layers) < CRITICAL + 2 or layers[-1][2] > LARGEST:
        raise ValueError(f"{CRITICAL + 2} layers or more, and at most {LARGEST} pixels a side")
    (_, first, _, _), (_, _, side, colours) = layers[0], layers[-1]
    spec = DataSpec(colours, side, side, class_names(tensors.get("mapping.embed.weight"), asked))
    kernel, radial = tensors[f"{first}.weight"].shape[-1], tensors[f"{first}.down_filter"].dim() == 2
    steps = bands(Shape(layers=len(layers) - 1), spec)
    _check_filters(tensors, [name for _, name, _, _ in layers], steps)
    options = mapping_of(tensors) | {"g_layers": len(layers) - 1}
    variant, wide = _wide([channels for *_, channels in layers[:-1]], steps, kernel, radial)
    found = {f"G.{name}": tensor for name, tensor in averaged(tensors, spec).items()}
    return Converted(variant, options | wide, spec, found)


def _check_filters(tensors: State, names: Sequence[str], steps: Sequence[Band]) -> None:
    """Raise ValueError for other cutoffs than the authors', which are nowhere else in the file."""
    for name, (old, new) in zip(names[1:-1], pairwise(steps)):
        rate = 2 * max(old.rate, new.rate)
        taps, held = TAPS * (rate // old.rate), tensors[f"{name}.up_filter"]
        if len(held) != taps or not torch.allclose(
            held, lowpass(taps, old.cutoff, 2 * old.half_width, rate), rtol=0, atol=CLOSE
        ):
            raise ValueError("the filters of the published configurations")


def _wide(channels: Sequence[int], steps: Sequence[Band], kernel: int, radial: bool) -> tuple[str, dict[str, Any]]:
    """Return the variant, and the hyperparameters that give each layer its channels."""
    most = max(channels)
    limits = [(2 * step.cutoff * (c - 0.5), 2 * step.cutoff * (c + 0.5), c) for c, step in zip(channels, steps)]
    low, high = max(low for low, _, _ in limits), min((high for _, high, c in limits if c < most), default=math.inf)
    if (kernel, radial) == (3, False):
        return "stylegan3", {"kind": "t", "width": most, "channel_base": roundest(low, high)}
    if (kernel, radial) == (1, True) and most % 2 == 0 and (half := roundest(low / 2, high / 2)) <= high / 2:
        return "stylegan3", {"kind": "r", "width": most // 2, "channel_base": half}
    wide = {"width": most, "channel_base": roundest(low, high), "kernel": kernel, "radial": radial}
    return "stylegan3-generator", wide
