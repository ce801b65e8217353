"""Convert other people's generators: state dicts of the CycleGAN and pix2pix repository and of CUT's.

The architecture is recognised from the names and shapes of the tensors, never from options. No code in a file is run.
"""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import gancli
from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.importers.cyclegan_pix2pix import domains_of, from_resnet, from_unet
from gancli.checkpoints.importers.state_dict import State, read_state_dict
from gancli.checkpoints.run_folder import RUNS, Folder
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.system import atomic
from gancli.system.digests import sha256_of


def import_file(file: Path, name: str | None) -> Path:
    """Import a file as the run `name` under ./runs and return its checkpoint."""
    name = name or _name(file)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--as {name}: give a name of letters, digits, dots, dashes and underscores")
    folder = Folder(RUNS / name)
    if os.path.lexists(folder.path) and not _left_unfinished(folder, file):
        raise UserError(f"--as {name}: {folder.path} already exists")
    converted = convert(file, folder.checkpoint(0), name)
    about = checkpoint.describe(converted)
    atomic.write_json(folder.about, {"variant": about.variant, "hparams": about.hparams, **about.run})
    folder.tidy()
    return converted


def _left_unfinished(folder: Folder, file: Path) -> bool:
    """Return whether a folder holds only what a killed import of the same file leaves: no run.json."""
    converted = folder.checkpoint(0)
    if folder.path.is_symlink() or not folder.path.is_dir() or not _holds_only(folder.path, converted):
        return False
    try:
        folder.check()
        return not converted.exists() or checkpoint.describe(converted).run.get("sha256") == sha256_of(file)
    except UserError:
        return False


def _holds_only(folder: Path, file: Path) -> bool:
    held = (path for path in folder.rglob("*") if not any(part.startswith(atomic.PREFIX) for part in path.parts))
    return {*held} <= {file.parent, file}


def _name(file: Path) -> str:
    """Name a run after the file, or after its folder for the usual file name latest_net_G.pth."""
    stem = file.resolve().parent.name if re.fullmatch(r"(latest|\d+)_net_G(_[AB])?", file.stem) else file.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "imported"


def convert(file: Path, out: Path, name: str) -> Path:
    """Convert a state dict to a checkpoint; raise UserError if its architecture is not supported."""
    gan, variant = to_gan(read_state_dict(file), file, name)
    kept = {"imported": file.name, "sha256": sha256_of(file), "data": name}
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    clock = {"step": 0, "images": 0, "total": 0}
    about = About(variant, hp, spec, clock, kept | {"gancli": gancli.__version__}, {})
    checkpoint.save_served(out, about, EMA(gan))  # atomic: a killed import leaves the whole file or none
    return out


# ----------------------------------------------------------------------------------- recognise the architecture


def to_gan(state: State, file: Path, name: str) -> tuple[GAN[Any], str]:
    """Build the GAN whose G the state dict holds, and return it with the name of its variant."""
    kinds = {"model.1.weight": from_resnet, "model.model.0.weight": from_unet}
    reader = next((kinds[first] for first in kinds if first in state), None)
    if reader is None:
        raise _unknown(file, f"its tensors are {', '.join(list(state)[:3]) or 'none'} …")
    try:
        variant, options, spec, tensors = reader(state)
    except (KeyError, IndexError, ValueError) as error:
        raise _unknown(file, f"it lacks {error}") from None
    spec = dataclasses.replace(spec, domains=domains_of(name))
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
        f"{file} is not a supported generator ({found}): give a ResNet (model.1.weight …) or U-Net "
        "(model.model.0.weight …) of pytorch-CycleGAN-and-pix2pix, or CUT's"
    )
