"""Other people's generators: the state dicts of the CycleGAN and pix2pix repository and of CUT's, made into ours.

What a file holds is told from the names and shapes of its tensors, never from options. Nothing in it is run.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import gancli
from gancli import atomic, checkpoint, registry, torch_files
from gancli.bounds import LARGEST
from gancli.checkpoint import About
from gancli.data.spec import DataSpec
from gancli.digests import sha256_of
from gancli.ema import EMA
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.pickles import Name, Record, named
from gancli.run import RUNS, Folder
from gancli.untrusted import printable

MOST_WRAPPERS = 8
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "filt")
RESNET_SIZE, UNET_DEPTHS = 256, range(2, 11)

State = dict[str, Tensor]


def import_file(file: Path, name: str | None) -> Path:
    """Import a file as the run `name` under ./runs; returns its checkpoint."""
    name = name or _name(file)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--as {name}: give a name of letters, digits, dots, dashes and underscores")
    folder = Folder(RUNS / name)
    if folder.path.exists():
        raise UserError(f"--as {name}: {folder.path} is already there")
    converted = convert(file, folder.checkpoint(0), name)
    about = checkpoint.describe(converted)
    atomic.write_json(folder.about, {"variant": about.variant, "hparams": about.hparams, **about.run})
    return converted


def _name(file: Path) -> str:
    """latest_net_G.pth is what they all are called: the folder says more."""
    stem = file.resolve().parent.name if re.fullmatch(r"(latest|\d+)_net_G(_[AB])?", file.stem) else file.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "imported"


def convert(file: Path, out: Path, name: str) -> Path:
    """Write a checkpoint of what a state dict holds; raises UserError for a file that is none of those known."""
    gan, variant = to_gan(read(file), file, name)
    kept = {"imported": file.name, "sha256": sha256_of(file), "data": name}
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    clock = {"step": 0, "images": 0, "total": 0}
    about = About(variant, hp, spec, clock, kept | {"gancli": gancli.__version__}, {})
    checkpoint.save(out, about, gan, {}, EMA(gan))
    checkpoint.strip(out)
    return out


# ---------------------------------------------------------------------------------------------- reading


def read(file: Path) -> State:
    """Read the tensors of a .pth without running anything in it; raises UserError for what is no state dict."""
    state = _state(torch_files.load(file), file)
    if sum(tensor.numel() * max(tensor.element_size(), 4) for tensor in state.values()) > LARGEST:
        raise UserError(f"{file} holds more than {LARGEST:,} bytes of tensors")
    if lost := [name for name, t in state.items() if t.is_floating_point() and not t.isfinite().all()]:
        raise UserError(f"{file} holds numbers that are not finite: {printable(', '.join(lost[:3]))}")
    return {k.removeprefix("module."): v.float() for k, v in state.items() if k.rsplit(".", 1)[-1] not in BUFFERS}


def _state(held: Any, file: Path) -> State:
    """Unwrap a state dict; a file may be wrapped in itself, so not for ever."""
    for _ in range(MOST_WRAPPERS):
        if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
            held = held["state_dict"]
    values = held.values() if isinstance(held, dict) else [held]
    if made := next((value for value in values if isinstance(value, Record | Name)), None):
        raise UserError(f"{file} is refused: it wants to run {printable(named(made))}; nothing of it was run")
    if not isinstance(held, dict) or not all(isinstance(v, Tensor) and isinstance(k, str) for k, v in held.items()):
        raise UserError(f"{file} is no state dict: it should hold tensors by name")
    return held


# -------------------------------------------------------------------------------- what it is, by its tensors


def to_gan(state: State, file: Path, name: str) -> tuple[GAN[Any], str]:
    """Make the GAN whose G a state dict is, and say which variant that is."""
    kinds = {"model.1.weight": _resnet, "model.model.0.weight": _unet}
    reader = next((kinds[first] for first in kinds if first in state), None)
    if reader is None:
        raise _unknown(file, f"its tensors are {', '.join(list(state)[:3]) or 'none'} …")
    try:
        variant, options, spec, tensors = reader(state)
    except (KeyError, IndexError, ValueError) as error:
        raise _unknown(file, f"it lacks {error}") from None
    spec = dataclasses.replace(spec, domains=_domains(name))
    kind = registry.load(variant)
    gan = kind(kind.hparams(**options), spec)
    own: Any = gan.get_submodule("G").state_dict()
    wrong = [k for k in {**own, **tensors} if k not in own or k not in tensors or own[k].shape != tensors[k].shape]
    if wrong:
        raise _unknown(file, f"{wrong[0]} does not fit")
    gan.get_submodule("G").load_state_dict(tensors)
    return gan, variant


def _unknown(file: Path, found: str) -> UserError:
    return UserError(
        f"{file} is no generator that is known ({found}): a ResNet (model.1.weight …) or U-Net "
        "(model.model.0.weight …) of pytorch-CycleGAN-and-pix2pix, or CUT's"
    )


def _domains(name: str) -> tuple[str, ...]:
    parts = re.sub(r"_(yosemite|flower)$", "", name).split("2")
    return (parts[0].split("_")[-1], parts[1]) if len(parts) == 2 and all(parts) else ()


Found = tuple[str, dict[str, Any], DataSpec, State]


def _resnet(state: State) -> Found:
    """A translator that goes one way, as CUT's is: without its blurs, it is CycleGAN's.

    The biases in front of its norms go: a norm takes them out again.
    """
    top = sorted({int(k.split(".")[1]) for k in state if k.startswith("model.") and k.split(".")[1].isdigit()})
    blocks = [i for i in top if f"model.{i}.conv_block.1.weight" in state]
    width, channels = state["model.1.weight"].shape[:2]
    plain = [i for i in top if i not in blocks and f"model.{i}.weight" in state]
    if len(plain) != 6 or not blocks or state["model.1.weight"].dim() != 4:
        return "cut", {"blocks": 1}, DataSpec(3, RESNET_SIZE, RESNET_SIZE), {}
    antialias = plain[2] - plain[1] == 4  # conv, norm, ReLU, blur; without a blur the next one comes after three
    names = ["encoder.stem.0", "encoder.down.0.0", "encoder.down.1.0"]
    names += [f"decoder.up.{i}.{int(antialias)}" for i in (0, 1)] + ["decoder.head"]
    tensors = {f"{new}.weight": state[f"model.{old}.weight"] for new, old in zip(names, plain)}
    tensors["decoder.head.bias"] = state.get(f"model.{plain[-1]}.bias", torch.empty(0))
    for i, old in enumerate(blocks):
        second = 5 if f"model.{old}.conv_block.5.weight" in state else 6  # after a dropout
        for new, at in (("0", 1), ("3", second)):
            weight = state.get(f"model.{old}.conv_block.{at}.weight", torch.empty(0))
            tensors[f"encoder.blocks.{i}.net.{new}.weight"] = weight
    options = {"width": int(width), "blocks": len(blocks), "antialias": antialias}
    return "cut", options, DataSpec(int(channels), RESNET_SIZE, RESNET_SIZE), tensors


def _unet(state: State) -> Found:
    """A U-Net with batch norm, as pix2pix has it."""
    width, channels = state["model.model.0.weight"].shape[:2]
    tensors, at, level = {"down.0.0.weight": state["model.model.0.weight"]}, "model.model", 0
    up: list[State] = []
    while f"{at}.{1 if level == 0 else 3}.model.1.weight" in state:
        at, level = f"{at}.{1 if level == 0 else 3}.model", level + 1
        inner = f"{at}.3.model.1.weight" not in state
        tensors[f"down.{level}.0.weight"] = state[f"{at}.1.weight"]
        norm = {"1.weight": f"{at}.{4 if inner else 6}.weight", "1.bias": f"{at}.{4 if inner else 6}.bias"}
        if not inner:
            tensors |= {f"down.{level}.1.{k}": state.get(f"{at}.2.{k}", torch.empty(0)) for k in ("weight", "bias")}
        up.append({"0.weight": state[f"{at}.{3 if inner else 5}.weight"]} | _present(state, norm))
    for i, layers in enumerate(reversed(up)):
        tensors |= {f"up.{i}.{name}": tensor for name, tensor in layers.items()}
    tensors |= _present(state, {f"head.{k}": f"model.model.3.{k}" for k in ("weight", "bias")})
    side = 2 ** (level + 1)
    spec = DataSpec(int(channels), side, side)
    return "pix2pix", {"width": int(width)}, spec, tensors if level + 1 in UNET_DEPTHS else {}


def _present(state: State, names: Mapping[str, str]) -> State:
    return {new: state[old] for new, old in names.items() if old in state}
