"""NVlabs' StyleGAN2-ADA, and StyleGAN2 in the StyleGAN3 repository; also what others are renamed to."""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, without
from gancli.checkpoints.importers.styles.stylegans import averaged, class_names, listed, mapping_of, side_of, wide
from gancli.data.spec import DataSpec

KNOWN_BY = "NVlabs' StyleGAN2-ADA (synthesis.b4.const, mapping.fc0.weight, …)"


def detect(tensors: State) -> bool:
    """Tell by the constant and the mapping network."""
    return {"synthesis.b4.const", "mapping.fc0.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; names stay. The one mean style serves all classes."""
    blocks = {int(m[1]) for name in tensors if (m := re.match(r"synthesis\.b(\d+)\.conv1\.weight", name))}
    side = side_of(len(blocks))
    if max(blocks) != side:
        raise ValueError("all resolutions from 4 pixels a side on")
    channels = [tensors[f"synthesis.b{block}.conv1.weight"].shape[0] for block in sorted(blocks)]
    spec = DataSpec(
        tensors[f"synthesis.b{side}.torgb.weight"].shape[0],
        side,
        side,
        class_names(tensors.get("mapping.embed.weight"), asked),
    )
    used = without(averaged(tensors, spec), "conv1.resample_filter")
    found = {f"G.{name}": tensor for name, tensor in used.items()}
    regular = wide(channels)
    variant = "stylegan2" if regular else "stylegan2-generator"
    return Converted(variant, mapping_of(tensors) | (regular or {"widths": listed(channels)}), spec, found)
