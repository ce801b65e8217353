"""Our residual generators as other people's code would name their tensors."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gancli.imported.generators.residual_gan import ResidualGAN
from gancli.nets.layers import statistics
from gancli.nets.layers.norms import BatchNorm2d

State = dict[str, Tensor]

ATTENTION = (r"G\.blocks\.(\d+)\.attention\.", r"G\.blocks\.(\d+)\.(?:block\.)?")
AJBROCK = {
    r"G\.linear": "linear",
    r"G\.codes\.embed": "shared",
    rf"{ATTENTION[0]}(.*)": r"blocks.\1.1.\2",
    rf"{ATTENTION[1]}shortcut": r"blocks.\1.0.conv_sc",
    rf"{ATTENTION[1]}conv(\d)": r"blocks.\1.0.conv\2",
    rf"{ATTENTION[1]}norm(\d)\.(gain|bias)": r"blocks.\1.0.bn\2.\3",
    rf"{ATTENTION[1]}norm(\d)\.norm\.running": r"blocks.\1.0.bn\2.stored",
    r"G\.norm\.weight": "output_layer.0.gain",
    r"G\.norm\.bias": "output_layer.0.bias",
    rf"{ATTENTION[1]}norm(\d)\.norm": r"blocks.\1.0.bn\2",
    r"G\.norm\.running": "output_layer.0.stored",
    r"G\.norm": "output_layer.0",
    r"G\.head": "output_layer.2",
}
STUDIO = {
    r"G\.linear": "linear0",
    r"G\.codes\.embed": "shared",
    rf"{ATTENTION[0]}gamma": r"attentions.\1.0.sigma",
    rf"{ATTENTION[0]}o": r"attentions.\1.0.conv1x1_attn",
    rf"{ATTENTION[0]}(\w+)": r"attentions.\1.0.conv1x1_\2",
    rf"{ATTENTION[1]}shortcut": r"blocks.\1.0.conv2d0",
    rf"{ATTENTION[1]}conv(\d)": r"blocks.\1.0.conv2d\2",
    rf"{ATTENTION[1]}norm(\d)\.(gain|bias)": r"blocks.\1.0.bn\2.\3",
    rf"{ATTENTION[1]}norm(\d)\.norm\.running": r"blocks.\1.0.bn\2.bn.running",
    rf"{ATTENTION[1]}norm(\d)\.norm": r"blocks.\1.0.bn\2",
    r"G\.norm": "bn4",
    r"G\.head": "conv2d5",
}
MIMICRY = {
    r"G\.linear": "l1",
    rf"{ATTENTION[1]}shortcut": r"block\1.c_sc",
    rf"{ATTENTION[1]}conv(\d)": r"block\1.c\2",
    rf"{ATTENTION[1]}norm(\d)\.(gain|bias)": r"block\1.b\2.\3s",
    rf"{ATTENTION[1]}norm(\d)\.norm": r"block\1.b\2",
    r"G\.norm": "b9",
    r"G\.head": "c9",
}


def renamed(gan: Any, patterns: Mapping[str, str]) -> State:
    """The network's tensors as another code base names them."""
    found: State = {}
    for name, tensor in gan.state_dict().items():
        old, new = next((old, new) for old, new in patterns.items() if re.match(old, name))
        found[re.sub(old, new, name, count=1)] = tensor
    return found


def with_list_of_blocks(state: State) -> State:
    """StudioGAN's attentions are entries of their own in the list of blocks."""
    attended = sorted({int(name.split(".")[1]) for name in state if name.startswith("attentions.")})

    def place(match: re.Match[str]) -> str:
        at = int(match[2])
        return f"blocks.{at + sum(other < at for other in attended) + (match[1] == 'attentions')}."

    return {re.sub(r"^(blocks|attentions)\.(\d+)\.", place, name): tensor for name, tensor in state.items()}


def ajbrock(gan: ResidualGAN) -> State:
    state = renamed(gan, AJBROCK)
    tables = [name for name in state if name == "shared.weight" or (not gan.hp.embedding and ".0.bn" in name)]
    return state | {name: state[name].T for name in tables if name.endswith("weight")}


def studio(gan: ResidualGAN) -> State:
    state = with_list_of_blocks(renamed(gan, STUDIO))
    return {name: tensor.T if name == "shared.weight" else tensor for name, tensor in state.items()}


def mimicry(gan: ResidualGAN) -> State:
    state: State = {}
    for name, tensor in renamed(gan, MIMICRY).items():
        name = re.sub(r"^block(\d+)", lambda m: f"block{int(m[1]) + 2}", name)
        state[name.replace(".running", ".bn.running") if gan.classes and name.startswith("block") else name] = tensor
    for gains in [name for name in state if name.endswith(".gains.weight")]:
        both = state.pop(gains), state.pop(gains.replace("gains", "biass"))
        state[gains.replace("gains", "embed")] = torch.cat(both).T
    return state


def chainer(gan: ResidualGAN) -> State:
    state: State = {}
    for name, tensor in renamed(gan, MIMICRY).items():
        table = name.endswith(("gains.weight", "biass.weight"))
        name = re.sub(r"^block(\d+)", lambda m: f"block{int(m[1]) + 2}", name)
        name = re.sub(r"gains\.weight$", "gammas/W", re.sub(r"biass\.weight$", "betas/W", name))
        norm = re.search(r"\bb\d\.", name)
        name = re.sub(r"weight$", "gamma" if norm else "W", re.sub(r"bias$", "beta" if norm else "b", name))
        name = re.sub(r"num_batches_tracked$", "N", name.replace("running_", "avg_"))
        state[name.replace(".", "/")] = tensor.T if table else tensor
    return state


DEEP_NAMES = {
    r"G\.codes\.embed": "embeddings",
    r"G\.linear": "generator.gen_z",
    rf"{ATTENTION[0]}gamma": r"attentions.\1.gamma",
    rf"{ATTENTION[0]}o": r"attentions.\1.snconv1x1_o_conv",
    rf"{ATTENTION[0]}(\w+)": r"attentions.\1.snconv1x1_\2",
    rf"{ATTENTION[1]}convs\.(\d)": r"blocks.\1.conv_\2",
    rf"{ATTENTION[1]}norms\.(\d)\.gain": r"blocks.\1.bn_\2.scale",
    rf"{ATTENTION[1]}norms\.(\d)\.bias": r"blocks.\1.bn_\2.offset",
    rf"{ATTENTION[1]}norms\.(\d)\.norm\.table\.(\w+)": r"blocks.\1.bn_\2.\3s",
    r"G\.norm\.table\.(\w+)": r"generator.bn.\1s",
    r"G\.norm": "generator.bn",
    r"G\.head": "generator.conv_to_rgb",
}


def deep(gan: Any) -> State:
    """The layout of Hugging Face, whose first layer's outputs are (H, W, C)."""
    for norm in gan.modules():
        if isinstance(norm, BatchNorm2d):
            norm._buffers = dict.fromkeys(norm._buffers)  # they are in the tables
    state = with_list_of_blocks(renamed(gan, DEEP_NAMES))
    for name in ("generator.gen_z.weight", "generator.gen_z.bias"):
        c, h, w = gan.G.coarsest
        state[name] = state[name].unflatten(0, (c, h, w)).movedim(0, 2).flatten(0, 2)
    return {re.sub(r"^blocks\.", "generator.layers.", name): tensor for name, tensor in state.items()}


def filled(gan: Any) -> Any:
    torch.manual_seed(0)
    for tensor in gan.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1 if tensor.dim() < 2 else torch.randn_like(tensor) / 3)
    for norm in gan.modules():
        if isinstance(norm, statistics.Table):
            norm.running_var.abs_()
    return gan.eval()
