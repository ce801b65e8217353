"""Gancli's own networks, with the names and shapes that their weights have in the files of others."""

import pickle
import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = dict[str, Tensor]
ROOT = 2**0.5


def unlike(net: Any) -> Any:
    """Give all parameters and buffers of a network values, so that each of them says something."""
    torch.manual_seed(0)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point() and not name.endswith(("_filter", "taps", "alpha", "transform", "magnitude_ema")):
            tensor.copy_((torch.randn_like(tensor) + 0.1) * (100 if ".fc" in name else 1))
    return net.eval().requires_grad_(False)


def rosinality(state: Mapping[str, Tensor]) -> State:
    """StyleGAN2's."""
    parts = {
        "weight": "conv.weight", "affine.weight": "conv.modulation.weight", "affine.bias": "conv.modulation.bias",
        "noise_strength": "noise.weight", "bias": "activate.bias", "resample_filter": "conv.blur.kernel",
    }  # fmt: skip
    found: State = {}
    for name, tensor in state.items():
        if match := re.fullmatch(r"mapping\.fc(\d+)\.(.*)", name):
            found[f"style.{int(match[1]) + 1}.{match[2]}"] = tensor
        elif match := re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.*)", name):
            level, (layer, part) = int(match[1]).bit_length() - 3, match.groups()[1:]
            if part == "noise_const":
                found[f"noises.noise_{2 * level - (layer == 'conv0')}"] = tensor[None, None]
                continue
            head = {"torgb": f"to_rgbs.{level - 1}"}.get(layer, f"convs.{2 * level - 2 + (layer == 'conv1')}")
            head = head if level else {"torgb": "to_rgb1"}.get(layer, "conv1")
            theirs = "bias" if (layer, part) == ("torgb", "bias") else parts[part]
            shape = {"weight": tensor[None], "noise_strength": tensor[None]}.get(part, tensor)
            shape = tensor[None, :, None, None] if theirs == "bias" else shape
            found[f"{head}.{theirs}"] = shape * 4 if part == "resample_filter" else shape
        elif match := re.fullmatch(r"synthesis\.b(\d+)\.resample_filter", name):
            if int(match[1]) > 4:
                found[f"to_rgbs.{int(match[1]).bit_length() - 4}.upsample.kernel"] = tensor * 4
        elif name == "synthesis.b4.const":
            found["input.input"] = tensor[None]
    return found


def tensorflow(state: Mapping[str, Tensor]) -> Any:
    """StyleGAN2's of TensorFlow, as the object that NVlabs pickled."""
    nets: dict[str, list[tuple[str, Any]]] = {"": [], "mapping": [], "synthesis": []}
    for name, tensor in state.items():
        if name.endswith("resample_filter"):
            continue
        top, _, rest = name.partition(".")
        if name == "mapping.w_avg":
            nets[""].append(("dlatent_avg", tensor.numpy()))
        elif top == "mapping":
            layer, part = rest.split(".")
            label = layer.replace("fc", "Dense").replace("embed", "LabelEmbed")
            nets[top].append((f"{label}/{part}", (tensor.T if part == "weight" else tensor).numpy()))
        else:
            nets[top].append(_of_synthesis(rest, tensor))
    parts = {name: network(nets[name], {}) for name in ("mapping", "synthesis")}
    return network([("lod", torch.zeros(()).numpy()), *nets[""]], parts)


def _of_synthesis(name: str, tensor: Tensor) -> tuple[str, Any]:
    side, part = int(name[1 : name.index(".")]), name[name.index(".") + 1 :]
    level = side.bit_length() - 3
    if part == "const":
        return f"{side}x{side}/Const/const", tensor[None].numpy()
    layer, _, kind = part.partition(".")
    if kind == "noise_const":
        return f"noise{2 * level - (layer == 'conv0')}", tensor[None, None].numpy()
    label = {"conv0": "Conv0_up", "conv1": "Conv1" if level else "Conv", "torgb": "ToRGB"}[layer]
    value = tensor - 1 if kind == "affine.bias" else tensor
    if kind == "weight":
        value = (tensor.flip(2, 3) if layer == "conv0" else tensor).permute(2, 3, 1, 0)
    value = tensor.T if kind == "affine.weight" else value
    return f"{side}x{side}/{label}/{kind.replace('affine.', 'mod_')}", value.contiguous().numpy()


def network(variables: list[tuple[str, Any]], components: dict[str, Any]) -> "Network":
    """What such an object holds, as far as it matters."""
    made = Network()
    made.__dict__.update(version=4, name="G", static_kwargs={}, components=components, variables=variables)
    return made


class Network:
    """Stands for NVlabs' class."""


def pickled(held: Any) -> bytes:
    """Pickle networks as if their class were NVlabs'."""
    module: Any = ModuleType("dnnlib.tflib.network")
    module.Network, Network.__module__ = Network, module.__name__
    with patch.dict(sys.modules, {"dnnlib": ModuleType("dnnlib"), module.__name__: module}):
        return pickle.dumps(held, 4)


def r3gan(state: Mapping[str, Tensor]) -> State:
    """R3GAN's."""
    single = {
        "basis.maps": "MainLayers.0.Layers.0.Basis", "basis.linear.weight": "MainLayers.0.Layers.0.LinearLayer.weight",
        "label.weight": "EmbeddingLayer.weight", "image.weight": "AggregationLayer.Layer.weight",
    }  # fmt: skip
    parts = {
        "expand.weight": "LinearLayer1.Layer.weight", "grouped.weight": "LinearLayer2.Layer.weight",
        "contract.weight": "LinearLayer3.Layer.weight", "expand.bias": "NonLinearity1.Bias",
        "grouped.bias": "NonLinearity2.Bias",
    }  # fmt: skip
    found: State = {}
    for name, tensor in state.items():
        if match := re.fullmatch(r"stages\.(\d+)\.(\d+)\.(.*)", name):
            found[f"Model.MainLayers.{match[1]}.Layers.{int(match[2]) + 1}.{parts[match[3]]}"] = tensor
            if match[1] != "0":
                found[f"Model.MainLayers.{match[1]}.Layers.0.Resampler.Kernel"] = torch.ones(4, 4)
        elif match := re.fullmatch(r"narrow\.(\d+)\.weight", name):
            found[f"Model.MainLayers.{int(match[1]) + 1}.Layers.0.LinearLayer.Layer.weight"] = tensor
        else:
            found[f"Model.{single[name]}"] = tensor
    return found


def gan_zoo(state: Mapping[str, Tensor]) -> State:
    """PGAN's, with layers to RGB for coarser images too."""
    found: State = {}
    for name, tensor in state.items():
        if name in ("level", "alpha"):
            continue
        layer, _, kind = name.rpartition(".")
        fan_in = state[f"{layer}.weight"][0].numel()
        gain = (2 / fan_in) ** 0.5 if kind == "bias" else ROOT if layer.startswith("to_rgb") else 1
        label = {"input": "formatLayer", "blocks.0.0": "groupScale0.0"}.get(layer, layer)
        label = re.sub(r"blocks\.(\d+)", lambda m: f"scaleLayers.{int(m[1]) - 1}", label)
        found[f"{label.replace('to_rgb', 'toRGBLayers')}.module.{kind}"] = tensor / gain
    return found | {"toRGBLayers.0.module.weight": torch.ones(3, 2, 1, 1), "toRGBLayers.0.module.bias": torch.ones(3)}


class Lernapparat:
    """The arithmetic of lernapparat's StyleGAN, as its notebook tells it, on weights with its names."""

    def __init__(self, z_dim: int, layers: int, channels: list[int]) -> None:
        torch.manual_seed(0)
        self.layers, self.sides, self.state = layers, [4 << level for level in range(len(channels))], State()
        for i in range(layers):
            self.add(f"g_mapping.dense{i}", z_dim, z_dim, 100.0)
        for before, width, side in zip([0, *channels], channels, self.sides):
            block = f"g_synthesis.blocks.{side}x{side}"
            if before:
                self.add(f"{block}.conv0_up", width, before, 1.0, 3, 3)
                self.state[f"{block}.conv0_up.intermediate.kernel"] = torch.ones(1, 1, 3, 3)
            else:
                self.state |= {f"{block}.const": torch.randn(1, width, 4, 4), f"{block}.bias": torch.randn(width)}
            self.add(f"{block}.conv1" if before else f"{block}.conv", width, width, 1.0, 3, 3)
            for i in (1, 2):
                self.state[f"{block}.epi{i}.top_epi.noise.weight"] = torch.randn(width)
                self.add(f"{block}.epi{i}.style_mod.lin", 2 * width, z_dim)
        self.add("g_synthesis.torgb", 3, channels[-1], 1.0, 1, 1)

    def add(self, layer: str, outputs: int, inputs: int, size: float = 1.0, *kernel: int) -> None:
        weight = torch.randn(outputs, inputs, *kernel)
        self.state |= {f"{layer}.weight": weight * size, f"{layer}.bias": torch.randn(outputs) * size}

    def held(self, layer: str, gain: float, rate: float = 1.0) -> tuple[Tensor, Tensor]:
        weight = self.state[f"{layer}.weight"]
        return weight * (gain * rate / weight[0].numel() ** 0.5), self.state[f"{layer}.bias"] * rate

    def __call__(self, z: Tensor, noise: list[Tensor]) -> Tensor:
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for i in range(self.layers):
            w = F.leaky_relu(F.linear(w, *self.held(f"g_mapping.dense{i}", ROOT, 0.01)), 0.2)
        x = torch.empty(0)
        for side, image in zip(self.sides, noise):
            block = f"g_synthesis.blocks.{side}x{side}"
            if side == 4:
                x = self.state[f"{block}.const"] + self.state[f"{block}.bias"][:, None, None]
            else:
                x = self.up(x, side, *self.held(f"{block}.conv0_up", ROOT))
            x = self.styled(x, w, image, f"{block}.epi1")
            weight, bias = self.held(f"{block}.conv1" if side > 4 else f"{block}.conv", ROOT)
            x = self.styled(F.conv2d(x, weight, bias, padding=1), w, image, f"{block}.epi2")
        return F.conv2d(x, *self.held("g_synthesis.torgb", 1.0))

    def up(self, x: Tensor, side: int, weight: Tensor, bias: Tensor) -> Tensor:
        if side >= 128:
            places = F.pad(weight.transpose(0, 1), (1, 1, 1, 1))
            summed = sum(places[:, :, a : a + 4, b : b + 4] for a in (0, 1) for b in (0, 1))
            x = F.conv_transpose2d(x, summed, stride=2, padding=1)  # pyright: ignore[reportArgumentType]
        else:
            x = F.conv2d(F.interpolate(x, scale_factor=2), weight, padding=1)
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        kernel = torch.outer(line, line).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(x, kernel, padding=1, groups=x.shape[1]) + bias[:, None, None]

    def styled(self, x: Tensor, w: Tensor, noise: Tensor, layer: str) -> Tensor:
        x = F.leaky_relu(x + self.state[f"{layer}.top_epi.noise.weight"][:, None, None] * noise, 0.2)
        scale, shift = F.linear(w, *self.held(f"{layer}.style_mod.lin", 1.0))[:, :, None, None].chunk(2, 1)
        return nn.InstanceNorm2d(x.shape[1])(x) * (scale + 1) + shift
