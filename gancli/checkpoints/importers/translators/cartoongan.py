"""CartoonGAN's generator in the layout of github.com/Yijunmaverick/CartoonGAN-Test-Pytorch-Torch."""

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed
from gancli.data.spec import DataSpec

KNOWN_BY = "CartoonGAN (conv01_1, in01_1.scale, …)"
SIZE = 256
TABLE = ((r"(in.*)\.scale", r"\1.weight"), (r"(in.*)\.shift", r"\1.bias"), (r"((?:de)?conv.*)", r"\1"))


def detect(tensors: State) -> bool:
    """Tell by the first norm and the last layer."""
    return {"in01_1.scale", "deconv03_1.weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert."""
    del asked
    full, channels = tensors["conv01_1.weight"].shape[:2]
    half, quarter = (tensors[f"conv{i}_1.weight"].shape[0] for i in ("02", "03"))
    options = {"full": full, "half": half, "quarter": quarter}
    return Converted("cartoongan", options, DataSpec(channels, SIZE, SIZE), renamed(tensors, TABLE))
