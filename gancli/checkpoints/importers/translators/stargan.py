"""StarGAN's generator in the layout of the authors' code, github.com/yunjey/stargan."""

import re

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed, without
from gancli.data.spec import DataSpec

KNOWN_BY = "StarGAN (main.0, main.9.main.0, …)"
SIZE, DEEPEST = 128, 4
COLOURS = 3


def detect(tensors: State) -> bool:
    """Tell by a residual block in the middle of `main`."""
    return "main.0.weight" in tensors and any(re.fullmatch(r"main\.\d+\.main\.0\.weight", name) for name in tensors)


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; the running statistics, which the authors' code never uses, are left out."""
    del asked
    tensors = without(tensors, "running_mean", "running_var", "num_batches_tracked")
    width, planes = tensors["main.0.weight"].shape[:2]
    blocks = {name.split(".")[1] for name in tensors if re.match(r"main\.\d+\.main\.", name)}
    options = {"width": width, "blocks": len(blocks), "count": planes - COLOURS}
    return Converted("stargan", options, DataSpec(COLOURS, SIZE, SIZE), renamed(tensors, [(r"(main\..*)", r"\1")]))
