"""AnimeGANv2's generator in the layout of github.com/bryandlee/animegan2-pytorch."""

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed
from gancli.data.spec import DataSpec

KNOWN_BY = "animegan2-pytorch (block_a.0.1, …, out_layer.0)"
SIZE = 512


def detect(tensors: State) -> bool:
    """Tell by the first layer and the last."""
    return {"block_a.0.1.weight", "block_c.1.layers.0.1.weight", "out_layer.0.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; all names stay."""
    del asked
    first, channels = tensors["block_a.0.1.weight"].shape[:2]
    widths = {"half": "block_a.1.1", "quarter": "block_b.0.1", "middle": "block_c.1.layers.2"}
    options = {"first": first} | {name: tensors[f"{layer}.weight"].shape[0] for name, layer in widths.items()}
    return Converted("animegan", options, DataSpec(channels, SIZE, SIZE), renamed(tensors, [("(.*)", r"\1")]))
