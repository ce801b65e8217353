"""Real-ESRGAN's models in ncnn's files, whose layers have no names but stand in the order of the network."""

from collections.abc import Iterator
from pathlib import Path

from gancli.checkpoints.importers.layout import State
from gancli.errors import UserError
from gancli.nets.enlargers.rrdb import CONVOLUTIONS
from gancli.system.untrusted import ncnn

BLOCKS = range(1, 4)  # dense blocks in each residual one
AROUND = 6  # convolutions in no block: the first, the one after the blocks, two doublings, and two at the end


def read(path: Path) -> State:
    """Read the tensors with the names that the authors' code gives them; raise UserError for other networks."""
    layers = ncnn.load(path)
    plain = any(layer.kind == "PReLU" for layer in layers)
    names = [f"body.{i}" for i in range(len(layers))] if plain else list(_dense(len(layers)))
    if len(names) != len(layers):
        raise UserError(f"{path} is not a model of Real-ESRGAN: it has {len(layers)} layers with weights")
    found: State = {}
    for name, layer in zip(names, layers):
        found[f"{name}.weight"] = layer.weight
        if layer.bias is not None:
            found[f"{name}.bias"] = layer.bias
    return found


def _dense(layers: int) -> Iterator[str]:
    """Name the convolutions of a network of residual dense blocks."""
    yield "conv_first"
    for block in range((layers - AROUND) // (len(BLOCKS) * CONVOLUTIONS)):
        for dense in BLOCKS:
            yield from (f"body.{block}.rdb{dense}.conv{i}" for i in range(1, CONVOLUTIONS + 1))
    yield from ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
