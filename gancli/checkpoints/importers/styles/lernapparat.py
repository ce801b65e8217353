"""StyleGAN in the layout of github.com/lernapparat/lernapparat, which NVlabs' weights were converted to."""

import torch

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed, without
from gancli.checkpoints.importers.styles.stylegans import side_of, stylegan
from gancli.nets.high_fidelity.mapping import GAIN

KNOWN_BY = "lernapparat's StyleGAN (g_mapping.dense0.weight, g_synthesis.blocks.4x4.const, …)"
FUSED = 128  # pixels a side from which on the first convolution is a transposed one, which turns its kernel


def detect(tensors: State) -> bool:
    """Tell by the constant and the mapping network."""
    return {"g_mapping.dense0.weight", "g_synthesis.blocks.4x4.const"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert."""
    del asked
    levels = count(tensors, r"g_synthesis\.blocks\.(\d+)x")
    sides = [side_of(2) >> 1 << level for level in range(levels)]
    table = [
        (r"g_mapping\.dense(\d+)\.(.*)", r"mapping.fc\1.\2"),
        (r"g_synthesis\.torgb\.(.*)", rf"synthesis.to_rgb.{levels - 1}.\1"),
        *(pair for level, side in enumerate(sides) for pair in _of_block(side, f"synthesis.blocks.{level}")),
    ]
    found = renamed(without(tensors, ".intermediate.kernel"), table, "")
    for name, tensor in found.items():
        if name.startswith("mapping") and name.endswith("bias"):
            found[name] = tensor / GAIN  # here the sum has the gain, there the weight
        elif name.endswith("affine.bias"):  # here scales are absolute, there they are added to 1
            found[name] = tensor + (torch.arange(len(tensor)) < len(tensor) // 2)
        elif name.endswith("conv1.weight") and sides[int(name.split(".")[2])] >= FUSED:
            found[name] = tensor.flip(2, 3)
    for level in range(1, levels):  # theirs come after the filter
        found[f"synthesis.blocks.{level}.conv1.bias"] = torch.zeros_like(found[f"synthesis.blocks.{level}.style1.bias"])
    return stylegan(found, levels - 1)


def _of_block(side: int, mine: str) -> list[tuple[str, str]]:
    """Return what renames a block."""
    parts = {
        r"const": "const", r"bias": "style1.bias", r"conv\.weight": "conv2.weight", r"conv\.bias": "style2.bias",
        r"conv0_up\.weight": "conv1.weight", r"conv0_up\.bias": "style1.bias",
        r"conv1\.weight": "conv2.weight", r"conv1\.bias": "style2.bias",
        r"epi(\d)\.top_epi\.noise\.weight": r"style\1.noise_strength",
        r"epi(\d)\.style_mod\.lin\.(.*)": r"style\1.affine.\2",
    }  # fmt: skip
    return [(rf"g_synthesis\.blocks\.{side}x{side}\.{theirs}", f"{mine}.{name}") for theirs, name in parts.items()]
