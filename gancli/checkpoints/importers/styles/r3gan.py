"""R3GAN in the layout of the authors' code, github.com/brownvc/R3GAN."""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed, without
from gancli.checkpoints.importers.styles.stylegans import class_names, listed, side_of
from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.r3gan import Stage, stages

KNOWN_BY = "R3GAN (Model.MainLayers.0.Layers.0.Basis, Model.AggregationLayer.Layer.weight, …)"
STAGE = r"Model\.MainLayers\.(\d+)\.Layers"
BLOCK = rf"{STAGE}\.(\d+)"
TABLE = (
    (r"Model\.MainLayers\.0\.Layers\.0\.Basis", "basis.maps"),
    (r"Model\.MainLayers\.0\.Layers\.0\.LinearLayer\.weight", "basis.linear.weight"),
    (r"Model\.EmbeddingLayer\.weight", "label.weight"),
    (r"Model\.AggregationLayer\.Layer\.weight", "image.weight"),
    (rf"{STAGE}\.0\.LinearLayer\.Layer\.weight", r"narrow.\1.weight"),
    (rf"{BLOCK}\.LinearLayer1\.Layer\.weight", r"stages.\1.\2.expand.weight"),
    (rf"{BLOCK}\.LinearLayer2\.Layer\.weight", r"stages.\1.\2.grouped.weight"),
    (rf"{BLOCK}\.LinearLayer3\.Layer\.weight", r"stages.\1.\2.contract.weight"),
    (rf"{BLOCK}\.NonLinearity1\.Bias", r"stages.\1.\2.expand.bias"),
    (rf"{BLOCK}\.NonLinearity2\.Bias", r"stages.\1.\2.grouped.bias"),
)


def detect(tensors: State) -> bool:
    """Tell by the first layer and the last."""
    return {"Model.MainLayers.0.Layers.0.Basis", "Model.AggregationLayer.Layer.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; widths, blocks and groups of each stage are in the shapes."""
    levels = count(tensors, rf"{STAGE}\.0\.")
    found = renamed(without(tensors, "Resampler.Kernel"), TABLE)
    found = {_one_less(name): tensor for name, tensor in found.items()}
    held = [_stage(found, at) for at in range(levels)]
    label, side = found.get("G.label.weight"), side_of(levels)
    spec = DataSpec(found["G.image.weight"].shape[0], side, side, class_names(label, asked))
    embedding = 0 if label is None else label.shape[0]
    z_dim = found["G.basis.linear.weight"].shape[1] - embedding
    first, wide = held[0], sum(stage.channels == held[0].channels for stage in held)
    plain = embedding in (0, z_dim)
    if plain and stages(first.channels, spec, wide, blocks=first.blocks, group=first.group) == held:
        options = {"width": first.channels, "wide": wide, "blocks": first.blocks, "group": first.group}
        return Converted("r3gan", options | {"z_dim": z_dim, "labels": bool(embedding)}, spec, found)
    widths, blocks, groups, _ = map(listed, zip(*held))
    options = {"widths": widths, "blocks": blocks, "groups": groups, "embedding": embedding}
    options["expansion"] = first.expansion
    return Converted("r3gan-generator", options | {"z_dim": z_dim}, spec, found)


def _one_less(name: str) -> str:
    """Count blocks, and what narrows between stages, from 0: theirs come after another layer, or a first stage."""
    return re.sub(r"(stages\.\d+|narrow)\.(\d+)", lambda m: f"{m[1]}.{int(m[2]) - 1}", name)


def _stage(found: State, at: int) -> Stage:
    """Read a stage from the shapes of its tensors."""
    grouped = found[f"G.stages.{at}.0.grouped.weight"]
    channels = found[f"G.stages.{at}.0.contract.weight"].shape[0]
    blocks = count(found, rf"G\.stages\.{at}\.(\d+)\.")
    return Stage(channels, blocks, grouped.shape[1], grouped.shape[0] // channels)
