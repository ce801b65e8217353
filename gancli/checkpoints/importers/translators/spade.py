"""SPADE's generator in the layout of the authors' code; spectral norm is folded into the weights."""

from gancli.checkpoints.importers.layout import Asked, Converted, State, has_edges, renamed, without
from gancli.checkpoints.importers.reading.spectral import folded
from gancli.data.spec import DataSpec
from gancli.errors import UserError

KNOWN_BY = "SPADE (fc, head_0.norm_0.mlp_shared.0, up_3.conv_0, …)"
WIDEST = 16  # times the width, in the first layer
USUAL = 5  # doublings of the published models that are 256 pixels high


def detect(tensors: State) -> bool:
    """Tell by the first block's norm and the last layer."""
    return {"fc.weight", "head_0.norm_0.mlp_shared.0.weight", "conv_img.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; neither the size nor whether there are 5 or 6 doublings is in the file."""
    if asked.size is None:
        raise UserError("SPADE's files do not say the size of their images: give --size WIDTHxHEIGHT")
    found = renamed(folded(without(tensors, "num_batches_tracked")), [("(.*)", r"\1")])
    fc = found["G.fc.weight"]
    steps = 7 if "up_4.conv_0.weight_orig" in tensors or "up_4.conv_0.weight" in tensors else asked.doublings or USUAL
    options = {"inputs": fc.shape[1], "width": fc.shape[0] // WIDEST, "steps": steps}
    options["edges"] = has_edges(fc.shape[1], asked)
    options["hidden"] = found["G.head_0.norm_0.mlp_shared.0.weight"].shape[0]
    return Converted("spade", options, DataSpec(found["G.conv_img.weight"].shape[0], *asked.size), found)
