"""Weights of public residual generators as weights of ours: names and shapes differ, numbers do not."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity import biggan_deep, resnet_gan
from gancli.nets.high_fidelity.resnet_gan import Attended, Codes, Generator, Numerics
from gancli.nets.layers import spectral, statistics
from gancli.nets.layers.attention import SelfAttention
from gancli.nets.layers.conditional_norm import ConditionalBatchNorm2d
from tests.parity import fixture

RUNNING = ("running_mean", "running_var")


def read(file: str) -> dict[str, Tensor]:
    """Read the tensors of a fixture by name."""
    held = fixture(file).weights()
    for wrapper in ("state_dict", "model_state_dict"):
        held = held.get(wrapper, held)
    return held


class Theirs:
    """Their tensors, taken by layer; `rest` are those that nothing took."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors, self.rest = (
            tensors,
            {name for name in tensors if not name.endswith(("sv0", "num_batches_tracked"))},
        )

    def __getitem__(self, name: str) -> Tensor:
        self.rest.discard(name)
        return self.tensors[name]

    def layer(self, ours: nn.Module, name: str) -> None:
        """Give a layer its weight, its bias, and the vectors of its spectral norm if it has them."""
        state = {"bias": self[f"{name}.bias"]} if f"{name}.bias" in self.tensors else {}
        normed = "parametrizations.weight"
        if f"{name}.weight_orig" in self.tensors:  # torch: u and v of the last step
            state |= {f"{normed}.original": self[f"{name}.weight_orig"]}
            state |= {f"{normed}.0.{x}": self[f"{name}.weight_{x}"] for x in "uv"}
        elif f"{name}.u0" in self.tensors:  # ajbrock: u before a step that each forward takes; see `build`
            weight = self[f"{name}.weight"]
            state |= {f"{normed}.original": weight, f"{normed}.0.u": self[f"{name}.u0"][0]}
            state |= {f"{normed}.0.v": torch.zeros(weight[0].numel())}
        else:
            state["weight"] = self[f"{name}.weight"]
        ours.load_state_dict(state)

    def table(self, ours: Any, name: str) -> None:
        """Give a linear layer of one-hot labels an embedding (K, C)."""
        ours.load_state_dict({"weight": self[f"{name}.weight"].T})

    def batch_norm(self, ours: Any, name: str, running: tuple[str, str] = RUNNING, **more: str) -> None:
        """Give a batch norm its statistics, and its weight and bias under the names in `more`."""
        state = {key: self[f"{name}.{theirs}"] for key, theirs in (*zip(RUNNING, running), *more.items())}
        ours.load_state_dict(state | {"num_batches_tracked": torch.tensor(0)})

    def attention(self, ours: SelfAttention, name: str, gamma: str, **layers: str) -> None:
        """Give self-attention its layers."""
        for key, theirs in layers.items():
            self.layer(getattr(ours, key), f"{name}.{theirs}")
        ours.gamma.data.copy_(self[f"{name}.{gamma}"].view(1))


def parts_of(block: Any) -> tuple[Any, Any]:
    """A block, and its self-attention if it has one."""
    return (block.block, block.attention) if isinstance(block, Attended) else (block, None)


def ajbrock(name: str, chunked: bool, attention: int) -> tuple[Generator, Theirs]:
    tensors = read(name)
    theirs = Theirs(tensors)
    shared = "shared.weight" in tensors
    blocks = next(i for i in count() if f"blocks.{i}.0.conv1.weight" not in tensors)
    channels = [tensors[f"blocks.{i}.0.conv1.weight"].shape[1] for i in range(blocks)]
    channels.append(tensors[f"blocks.{blocks - 1}.0.conv1.weight"].shape[0])
    part = tensors["linear.weight"].shape[1]
    parts = [part] * (blocks + 1) if chunked else resnet_gan.whole(part, blocks)
    classes, embedding = tensors["shared.weight"].shape if shared else (len(tensors["blocks.0.0.bn1.gain.weight"]), 0)
    G = resnet_gan.generator(
        DataSpec(3, 32, 32, tuple(map(str, range(classes)))), channels, Codes(classes, embedding, parts), attention
    )
    spectral.normalise(G, [G.codes] if shared else [m for m in G.modules() if isinstance(m, ConditionalBatchNorm2d)])
    if shared:
        theirs.table(G.codes.embed, "shared")
    theirs.layer(G.linear, "linear")
    for i, block in enumerate(G.blocks):
        up, attend = parts_of(block)
        if attend:
            theirs.attention(attend, f"blocks.{i}.1", "gamma", theta="theta", phi="phi", g="g", o="o")
        for ours, name in (("conv1", "conv1"), ("conv2", "conv2"), ("shortcut", "conv_sc")):
            theirs.layer(getattr(up, ours), f"blocks.{i}.0.{name}")
        for k, norm in enumerate((up.norm1, up.norm2), 1):
            theirs.batch_norm(norm.norm, f"blocks.{i}.0.bn{k}", ("stored_mean", "stored_var"))
            for kind in ("gain", "bias"):
                put = theirs.layer if shared else theirs.table
                put(getattr(norm, kind), f"blocks.{i}.0.bn{k}.{kind}")
    theirs.batch_norm(G.norm, "output_layer.0", ("stored_mean", "stored_var"), weight="gain", bias="bias")
    theirs.layer(G.head, "output_layer.2")
    spectral.power_step(G)  # their evaluation takes one step from u0, and does not keep it
    return G.eval(), theirs


def studiogan(name: str, attention: int = 0) -> tuple[Generator, Theirs]:
    tensors = read(name)
    theirs = Theirs(tensors)
    norms = any(key.endswith("weight_orig") for key in tensors)
    suffix = "weight_orig" if norms else "weight"
    shared = "shared.weight" in tensors
    ups = [i for i in range(99) if f"blocks.{i}.0.conv2d1.{suffix}" in tensors]
    channels = [tensors[f"blocks.{i}.0.conv2d1.{suffix}"].shape[1] for i in ups]
    channels.append(len(tensors[f"blocks.{ups[-1]}.0.conv2d1.{suffix}"]))
    part = tensors[f"linear0.{suffix}"].shape[1]
    classes, embedding = tensors["shared.weight"].shape if shared else (0, 0)
    codes = Codes(classes, embedding, [part] * (len(ups) + 1) if shared else resnet_gan.whole(part, len(ups)))
    G = resnet_gan.generator(DataSpec(3, 32, 32), channels, codes, attention, Numerics(eps=1e-4, last_eps=1e-4))
    if norms:
        spectral.normalise(G, [G.codes])
    if shared:
        theirs.table(G.codes.embed, "shared")
    theirs.layer(G.linear, "linear0")
    for i, block in zip(ups, G.blocks):
        up, attend = parts_of(block)
        if attend:
            names = {key: f"conv1x1_{key}" for key in ("theta", "phi", "g")} | {"o": "conv1x1_attn"}
            theirs.attention(attend, f"blocks.{i + 1}.0", "sigma", **names)
        for ours, theirs_of in (("shortcut", "conv2d0"), ("conv1", "conv2d1"), ("conv2", "conv2d2")):
            theirs.layer(getattr(up, ours), f"blocks.{i}.0.{theirs_of}")
        for k, norm in enumerate((up.norm1, up.norm2), 1):
            at = f"blocks.{i}.0.bn{k}"
            if shared:
                theirs.batch_norm(norm.norm, f"{at}.bn")
                theirs.layer(norm.gain, f"{at}.gain")
                theirs.layer(norm.bias, f"{at}.bias")
            else:
                theirs.batch_norm(norm.norm, at, weight="weight", bias="bias")
    theirs.batch_norm(G.norm, "bn4", weight="weight", bias="bias")
    theirs.layer(G.head, "conv2d5")
    return G.eval(), theirs


def mimicry(name: str) -> tuple[Generator, Theirs]:
    tensors = read(name)
    theirs = Theirs(tensors)
    blocks = [i for i in range(99) if f"block{i}.c1.weight" in tensors]
    channels = [tensors[f"block{i}.c1.weight"].shape[1] for i in blocks]
    channels.append(len(tensors[f"block{blocks[-1]}.c1.weight"]))
    labels = tensors.get(f"block{blocks[0]}.b1.embed.weight")
    classes = 0 if labels is None else len(labels)
    z_dim = tensors["l1.weight"].shape[1]
    codes = Codes(classes, 0, resnet_gan.whole(z_dim, len(blocks)))
    numerics = Numerics(centre=0.0, enlarge=resnet_gan.bilinear)  # their gains are absolute
    G = resnet_gan.generator(DataSpec(3, 32, 32), channels, codes, 0, numerics)
    theirs.layer(G.linear, "l1")
    for i, block in zip(blocks, G.blocks):
        up = parts_of(block)[0]
        for ours, theirs_of in (("conv1", "c1"), ("conv2", "c2"), ("shortcut", "c_sc")):
            theirs.layer(getattr(up, ours), f"block{i}.{theirs_of}")
        for k, norm in enumerate((up.norm1, up.norm2), 1):
            at = f"block{i}.b{k}"
            if classes:
                theirs.batch_norm(norm.norm, f"{at}.bn")
                for layer, rows in zip((norm.gain, norm.bias), theirs[f"{at}.embed.weight"].T.chunk(2)):
                    layer.load_state_dict({"weight": rows})
            else:
                theirs.batch_norm(norm.norm, at, weight="weight", bias="bias")
    last = blocks[-1] + 1
    theirs.batch_norm(G.norm, f"b{last}", weight="weight", bias="bias")
    theirs.layer(G.head, f"c{last}")
    return G.eval(), theirs


def huggingface(name: str, config: Mapping[str, Any]) -> tuple[Generator, Theirs]:
    tensors = read(name)
    theirs = Theirs(tensors)
    width, attended = config["channel_width"], config["attention_layer_position"]
    blocks = [biggan_deep.Layer(up, width * a, width * b) for up, a, b in config["layers"]]
    embedding, classes = tensors["embeddings.weight"].shape
    codes = biggan_deep.WholeCodes(config["z_dim"], classes, embedding, len(blocks))
    numerics = Numerics(eps=config["eps"], last_eps=config["eps"])
    G = biggan_deep.generator(DataSpec(3, 32, 32), blocks, codes, attended, numerics, blocks[-1].outputs - 3)
    spectral.normalise(G, [G.codes])
    statistics.tabulate(G, config["n_stats"])

    def statistics_of(norm: Any, at: str) -> None:
        norm.table.load_state_dict({ours: theirs[f"{at}.{ours}s"] for ours in RUNNING})

    G.codes.get_submodule("embed").load_state_dict({"weight": theirs["embeddings.weight"]})
    c, h, w = G.coarsest
    rows = theirs.tensors  # the first layer's outputs are laid out (H, W, C)
    order = torch.arange(h * w * c).view(h, w, c).permute(2, 0, 1).flatten()
    first = {key: rows[f"generator.gen_z.{key}"][order] for key in ("bias", "weight_orig", "weight_u")}
    first["weight_v"] = rows["generator.gen_z.weight_v"]
    Theirs({f"first.{key}": value for key, value in first.items()}).layer(G.linear, "first")
    theirs.rest -= {f"generator.gen_z.{key}" for key in first}
    for i, block in enumerate(G.blocks):
        deep, attend = parts_of(block)
        at = f"generator.layers.{i + (i >= attended)}"
        if attend:
            names = {key: f"snconv1x1_{key}" for key in ("theta", "phi", "g")} | {"o": "snconv1x1_o_conv"}
            theirs.attention(attend, f"generator.layers.{i + 1}", "gamma", **names)
        for k, (norm, conv) in enumerate(zip(deep.norms, deep.convs)):
            theirs.layer(conv, f"{at}.conv_{k}")
            theirs.layer(norm.gain, f"{at}.bn_{k}.scale")
            theirs.layer(norm.bias, f"{at}.bn_{k}.offset")
            statistics_of(norm.norm, f"{at}.bn_{k}")
    statistics_of(G.norm, "generator.bn")
    for key in ("weight", "bias"):
        getattr(G.norm, key).data.copy_(theirs[f"generator.bn.{key}"])
    theirs.layer(G.head, "generator.conv_to_rgb")
    return G.eval(), theirs
