"""Translators in the layouts of others, with widths, depths and labels that nobody published."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from gancli.checkpoints.importers.reading.state_dict import read_state_dict
from gancli.errors import UserError
from gancli.nets.enlargers.srvgg import CompactNet
from gancli.nets.translators.animegan import AnimeNet
from gancli.nets.translators.cartoongan import CartoonNet
from gancli.nets.translators.pix2pixhd import GlobalNet, LocalNet
from gancli.nets.translators.spade import SPADENet
from gancli.nets.translators.stargan import StarNet
from gancli.nets.translators.ugatit import AttentiveNet
from tests.checkpoints.importers.layouts import State, alike, full, imported, renamed
from tests.checkpoints.renditions import ResNet, UNet, rendition
from tests.inference.test_export import affine

# ----------------------------------------------------------------------------------------------- translators

X = torch.rand(2, 3, 32, 40) * 2 - 1
SAME: dict[str, tuple[nn.Module, str]] = {  # which have the authors' names
    "narrow AnimeGAN": (AnimeNet((4, 6, 5, 7)), "animegan"),
    "AnimeGAN whose first block adds": (AnimeNet((4, 6, 8, 8)), "animegan"),
    "U-GAT-IT, one block": (AttentiveNet(4, 1), "ugatit"),
    "U-GAT-IT, six blocks": (AttentiveNet(3, 6), "ugatit"),
}


@pytest.mark.parametrize("which", SAME)
def test_translators_of_other_widths_and_depths(which: str, tmp_path: Path) -> None:
    net, name = SAME[which]
    gan, variant, _ = imported({"genA2B": full(net).state_dict()}, tmp_path)
    assert variant == name
    assert alike(gan, net, X)


def test_cartoongan_of_other_widths(tmp_path: Path) -> None:
    net = full(CartoonNet((4, 5, 7)))
    state = renamed(net.state_dict(), (r"^(in.*)weight", r"\1scale"), (r"^(in.*)bias", r"\1shift"))
    assert alike(imported(state, tmp_path).gan, net, X)


def test_the_full_form_of_ugatit_at_another_size(tmp_path: Path) -> None:
    net = full(AttentiveNet(2, 1, places=8 * 8))
    gan = imported({"genA2B": net.state_dict()}, tmp_path).gan
    assert (gan.spec.height, gan.spec.width) == (32, 32)
    assert alike(gan, net, X[..., :32])


@pytest.mark.parametrize(("attributes", "width", "blocks"), [(15, 4, 6), (1, 5, 11)])
def test_stargan(attributes: int, width: int, blocks: int, tmp_path: Path) -> None:
    net = full(StarNet(attributes, width, blocks))
    unused = {"main.1.running_mean": torch.ones(width), "main.1.num_batches_tracked": torch.tensor(3)}
    gan: Any = imported(net.state_dict() | unused, tmp_path).gan
    assert gan.attributes == attributes
    assert alike(gan, net, X, torch.rand(2, attributes).round())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dropout", [True, False])
def test_cyclegan_of_tutorials(dropout: bool, bias: bool, tmp_path: Path) -> None:
    """Norms that have weights, blocks of another name, and numbers that a dropout shifts."""
    net = full(affine(ResNet(4, 3, dropout=dropout)))
    state = renamed(net.state_dict(), (r"conv_block", "block"))
    if not bias:
        before = {f"{name[:-6]}bias" for name, tensor in state.items() if tensor.dim() == 4} - {"model.20.bias"}
        state = {name: tensor for name, tensor in state.items() if name not in before}
    gan, variant, _ = imported({"netG_A2B": state}, tmp_path)
    assert variant == "resnet-translator"
    assert alike(gan, net, X)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_unets_with_either_norm(norm: str, tmp_path: Path) -> None:
    """CycleGAN's U-Nets have instance norms, without weights, behind convolutions that have a bias."""
    net = rendition(lambda: plain(UNet(2, 7)) if norm == "instance" else UNet(2, 7))
    found = imported(net.state_dict(), tmp_path)
    gan, variant = cast(Any, found.gan), found.variant
    assert variant == ("pix2pix" if norm == "batch" else "unet-translator")
    x = torch.rand(1, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        assert (gan.G(x) - net(x)).abs().max() < 1e-5


def plain(net: nn.Module) -> nn.Module:
    """Replace batch norms by instance norms, and give the convolutions before them a bias."""
    for name, layer in list(net.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            net.set_submodule(name, nn.InstanceNorm2d(layer.num_features))
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is None:
            width = layer.out_channels
            layer.bias = nn.Parameter(torch.zeros(width))
    return net


# -------------------------------------------------------------------------------------------- maps of labels


def encoder(net: Any, prefix: str) -> tuple[State, int]:
    """Name the layers of pix2pixHD's encoder; also return the next number."""
    state, at = {f"{prefix}.1.weight": net.stem[0].weight}, 4
    for layers in net.down:
        state[f"{prefix}.{at}.weight"] = layers[0].weight
        at += 3
    return state | blocks(net.blocks, prefix, at), at + len(net.blocks)


def blocks(found: Any, prefix: str, at: int) -> State:
    names = {f"{prefix}.{at + i}.conv_block": block.net for i, block in enumerate(found)}
    both = ((name, net, old, new) for name, net in names.items() for old, new in ((1, 0), (5, 3)))
    return {f"{name}.{old}.weight": net[new].weight for name, net, old, new in both}


def decoder(net: Any, prefix: str, at: int) -> State:
    state = {f"{prefix}.{at + 3 * i}.weight": layers[0].weight for i, layers in enumerate(net.up)}
    last = f"{prefix}.{at + 3 * len(net.up) + 1}"
    return state | ({f"{last}.weight": net.head.weight, f"{last}.bias": net.head.bias} if hasattr(net, "head") else {})


def high_definition(net: Any) -> State:
    """pix2pixHD's, with the biases that its norms take out."""
    coarse = net.coarse if isinstance(net, LocalNet) else net
    state, at = encoder(coarse.encoder, "model")
    state |= decoder(coarse.decoder, "model", at)
    if isinstance(net, LocalNet):
        state |= encoder(net.encoder, "model1_1")[0] | blocks(net.decoder.blocks, "model1_2", 0)
        state |= decoder(net.decoder, "model1_2", len(net.decoder.blocks))
    biases = {name.replace("weight", "bias"): torch.rand(3) for name in state if name.endswith("weight")}
    return biases | state


HD: dict[str, nn.Module] = {
    "global, 2 blocks": GlobalNet(7, 4, 2, 4),
    "global, 3 halvings": GlobalNet(5, 3, 11, 3),
    "global, colours": GlobalNet(3, 4, 1, 4),
    "local, 1 block": LocalNet(6, 3, 1, 3, 1),
    "local, 3 blocks": LocalNet(9, 2, 2, 4, 3),
}


@pytest.mark.parametrize("which", HD)
def test_pix2pixhd(which: str, tmp_path: Path) -> None:
    net = full(HD[which])
    gan, variant, _ = imported(high_definition(net), tmp_path)
    assert variant == "pix2pixhd"
    planes = net.state_dict()["encoder.stem.0.weight"].shape[1]
    assert alike(gan, net, torch.rand(1, planes, 64, 96).round())


@pytest.mark.parametrize(("labels", "edges"), [(None, True), (8, False), (7, True)])
def test_maps_of_labels_without_edges(labels: int | None, edges: bool, tmp_path: Path) -> None:
    """Only the user can tell whether the last plane is a label or the edges of instances."""
    nets = {"hd": high_definition(full(GlobalNet(8, 3, 1, 4))), "spade": spade(full(SPADENet(8, 1, 2)))}
    for state in nets.values():
        gan: Any = imported(state, tmp_path, labels=labels, size=(64, 64)).gan
        assert (gan.labels, gan.edges) == (labels or 7, edges)
        with pytest.raises(UserError, match="--labels 5: the file has 8 planes"):
            imported(state, tmp_path, labels=5, size=(64, 64))


def spade(net: nn.Module) -> State:
    """SPADE's, whose residual blocks have spectral norms."""
    state: State = {}
    for name, tensor in net.state_dict().items():
        if re.search(r"\.conv_.\.weight$", name):
            u, v = torch.linalg.svd(tensor.flatten(1), full_matrices=False)[::2]
            state |= {f"{name}_orig": 3 * tensor, f"{name}_u": u[:, 0], f"{name}_v": v[0]}
            tensor.div_(torch.linalg.matrix_norm(tensor.flatten(1), 2))
        else:
            state[name] = tensor
    return state


@pytest.mark.parametrize(("labels", "width", "hidden", "steps"), [(4, 2, 3, 5), (9, 1, 6, 6), (5, 2, 4, 7)])
def test_spade(labels: int, width: int, hidden: int, steps: int, tmp_path: Path) -> None:
    net = full(SPADENet(labels, width, hidden, steps))
    for parameter in net.parameters():
        parameter.mul_(0.3)  # or all values are 1 or -1
    state = spade(net)
    size = 1 << steps, 2 << steps
    gan, variant, _ = imported(state, tmp_path, size=size, doublings=None if steps != 6 else 6)
    assert variant == "spade"
    assert alike(gan, net, torch.rand(1, labels, *size).round())


# ------------------------------------------------------------------------------------------------ containers

WRAPPED: dict[str, Callable[[State], Any]] = {
    "bare": lambda state: state,
    "averaged beside others": lambda state: {
        "params": {name: tensor * 0 for name, tensor in state.items()}, "params_ema": state, "iteration": 5,
    },
    "parallel": lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
    "twice": lambda state: {"model": {"netG": state}, "optimizer": {"state": {}, "lr": 0.1}},
    "averaged by mmagic": lambda state: {"state_dict": {f"generator_ema.{n}": t for n, t in state.items()}},
    "G": lambda state: {"G": state, "D": {"x": torch.ones(1)}, "epoch": 3},
    "model_ema": lambda state: {"model": {"y": torch.ones(1)}, "model_ema": state},
    "generator_state_dict": lambda state: {"generator_state_dict": state, "discriminator_state_dict": {}},
}  # fmt: skip
TYPES = {torch.float32: 1e-6, torch.float16: 2e-2, torch.bfloat16: 0.1, torch.float64: 1e-6}


@pytest.mark.parametrize("protocol", [None, 2, 3, 4, 5])
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_containers(wrapped: str, protocol: int | None, tmp_path: Path) -> None:
    """Zip files, and older streams of every protocol; numbers of every width, and strides of their own."""
    net, file = full(CompactNet(3, 4, 1, 2)), tmp_path / "x.pth"
    for dtype, limit in TYPES.items():
        state = {name: tensor.to(dtype) for name, tensor in net.state_dict().items()}
        state = {n: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for n, t in state.items()}
        old = {"_use_new_zipfile_serialization": False, "pickle_protocol": protocol} if protocol else {}
        torch.save(WRAPPED[wrapped](state), file, **old)
        found = read_state_dict(file)
        assert found.keys() == state.keys()
        assert all((found[n] - tensor).abs().max() <= limit for n, tensor in net.state_dict().items())
