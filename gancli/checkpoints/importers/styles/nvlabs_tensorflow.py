"""NVlabs' StyleGAN2 and StyleGAN2-ADA of TensorFlow, whose axes are in another order."""

import re

from torch import Tensor

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed
from gancli.checkpoints.importers.styles import nvlabs_stylegan2
from gancli.checkpoints.importers.styles.stylegans import COARSEST
from gancli.nets.layers.resampling.resample import fir

KNOWN_BY = "NVlabs' StyleGAN2 of TensorFlow (synthesis/4x4/Const/const, mapping/Dense0/weight, …)"
LAYER = r"synthesis/(\d+)x\d+/"
TABLE = (
    (r"dlatent_avg", "mapping.w_avg"),
    (r"mapping/LabelEmbed/(.*)", r"mapping.embed.\1"),
    (r"mapping/Dense(\d+)/(.*)", r"mapping.fc\1.\2"),
    (rf"{LAYER}Const/const", r"synthesis.b\1.const"),
    *(
        (rf"{LAYER}{theirs}/{mod}(.*)", rf"synthesis.b\1.{ours}.{affine}\2")
        for theirs, ours in (("Conv", "conv1"), ("Conv0_up", "conv0"), ("Conv1", "conv1"), ("ToRGB", "torgb"))
        for mod, affine in (("mod_", "affine."), ("", ""))
    ),
    (r"synthesis/noise(\d+)", r"noise.\1"),
)


def detect(tensors: State) -> bool:
    """Tell by the constant and by weights that styles scale."""
    return {"synthesis/4x4/Const/const", "synthesis/4x4/Conv/mod_weight", "mapping/Dense0/weight"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert."""
    used = {name: tensor for name, tensor in tensors.items() if name.rpartition("/")[2] != "lod"}
    found = {_placed(name): _turned(name, tensor) for name, tensor in renamed(used, TABLE, "").items()}
    for block in {match[0] for name in found if (match := re.match(r"synthesis\.b\d+", name))}:
        found[f"{block}.resample_filter"] = fir()
        if f"{block}.conv0.weight" in found:
            found[f"{block}.conv0.resample_filter"] = fir()
    return nvlabs_stylegan2.convert(found, asked)


def _placed(name: str) -> str:
    """Give the noise, which is numbered through, to its layer."""
    kind, _, number = name.partition(".")
    if kind != "noise":
        return name
    level, second = divmod(int(number) + 1, 2)
    return f"synthesis.b{COARSEST << level}.conv{second}.noise_const"


def _turned(name: str, tensor: Tensor) -> Tensor:
    """Put axes in torch's order; kernels that upsample are turned, and styles are added to 1."""
    if name.endswith("affine.bias"):
        return tensor + 1
    if name.endswith(".const"):
        return tensor[0]
    if name.startswith("noise."):
        return tensor[0, 0]
    if tensor.dim() == 4:
        kernel = tensor.permute(3, 2, 0, 1)
        return kernel.flip(2, 3) if name.endswith("conv0.weight") else kernel
    return tensor.T if tensor.dim() == 2 else tensor
