"""Convert other people's generators.

The architecture is recognised from the names and shapes of the tensors, never from options. No code in a file is run.
"""

import dataclasses
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gancli
from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import MOST, About
from gancli.checkpoints.ema import EMA, pruned
from gancli.checkpoints.importers import cyclegan_pix2pix, dcgan, esrgan, srgan
from gancli.checkpoints.importers.layout import Asked, Importer, State
from gancli.checkpoints.importers.reading.state_dict import read_state_dict
from gancli.checkpoints.importers.residual import (
    biggan_ajbrock,
    biggan_huggingface,
    mimicry,
    sngan_projection,
    studiogan,
)
from gancli.checkpoints.importers.styles import (
    gan_zoo_progan,
    lernapparat,
    nvlabs_stylegan2,
    nvlabs_stylegan3,
    nvlabs_tensorflow,
    r3gan,
    rosinality_stylegan,
    rosinality_stylegan2,
)
from gancli.checkpoints.importers.translators import animegan, cartoongan, pix2pixhd, spade, stargan, ugatit
from gancli.checkpoints.run_folder import RUNS, Folder
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.system import atomic
from gancli.system.digests import sha256_of
from gancli.system.untrusted.door import printable, reason
from gancli.system.untrusted.networks import bounded

# the first that knows a file reads it
IMPORTERS: tuple[Importer, ...] = (
    esrgan, srgan, animegan, cartoongan, ugatit, stargan, spade, pix2pixhd, cyclegan_pix2pix,
    nvlabs_stylegan3, nvlabs_stylegan2, nvlabs_tensorflow, rosinality_stylegan2, rosinality_stylegan, lernapparat,
    r3gan, gan_zoo_progan, dcgan, biggan_ajbrock, biggan_huggingface, studiogan, mimicry, sngan_projection,
)  # fmt: skip
# what reading a file of other tensors than its names promise raises
DAMAGED = (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError, StopIteration)


def import_file(file: Path, asked: Asked) -> Path:
    """Import a file as a run under ./runs, named by `asked` or after the file, and return its checkpoint."""
    name = asked.name or _name(file)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--as {name}: give a name of letters, digits, dots, dashes and underscores")
    folder = Folder(RUNS / name)
    if os.path.lexists(folder.path) and not _left_unfinished(folder, file):
        raise UserError(f"--as {name}: {folder.path} already exists")
    converted = convert(file, folder.checkpoint(0), dataclasses.replace(asked, name=name))
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


def convert(file: Path, out: Path, asked: Asked, said: Mapping[str, str] | None = None) -> Path:
    """Convert a file to a checkpoint, which also says what is `said`; raise UserError if it is not supported."""
    gan, variant, architecture = to_gan(read_state_dict(file), file, asked)
    kept = {"imported": file.name, "sha256": sha256_of(file), "data": asked.name, **(said or {})}
    kept |= {"architecture": " ".join(architecture)}
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    clock = {"step": 0, "images": 0, "total": 0}
    about = About(variant, hp, spec, clock, kept | {"gancli": gancli.__version__}, {})
    checkpoint.save_served(out, about, EMA(gan))  # atomic: a killed import leaves the whole file or none
    return out


# ----------------------------------------------------------------------------------- recognise the architecture


class Built(NamedTuple):
    """A GAN, the name of its variant, and of those of its hyperparameters that the file tells."""

    gan: GAN[Any]
    variant: str
    architecture: tuple[str, ...]


def to_gan(state: State, file: Path, asked: Asked) -> Built:
    """Build the GAN whose networks the tensors are."""
    reader = next((importer for importer in IMPORTERS if importer.detect(state)), None)
    if reader is None:
        known = "; ".join(importer.KNOWN_BY for importer in IMPORTERS)
        named = printable(", ".join(list(state)[:3])) or "none"
        raise UserError(f"{file} is not a supported generator: its tensors are {named} …; supported are {known}")
    try:
        found = reader.convert(state, dataclasses.replace(asked, file=file))
        kind = registry.load(found.variant)
        hp = kind.hparams(**found.hparams)
        found.spec.check(MOST)
        with bounded(sum(tensor.nbytes for tensor in state.values())):
            gan = kind(hp, found.spec)
    except UserError:
        raise
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise _misfit(file, reader, f"it lacks {printable(str(error))}") from None
    except DAMAGED as error:  # torch's too, where shapes do not fit each other
        raise _misfit(file, reader, reason(error)) from None
    names = {*kind.served, *(name.partition(".")[0] for name in found.tensors)}
    if wrong := _wrong(gan, names, found.tensors):
        raise _misfit(file, reader, f"{printable(wrong[0])} does not fit")
    gan.load_state_dict(found.tensors, strict=False)
    served = pruned(gan, without={*kind.judges} - names)  # a D that was not in the file knows nothing
    return Built(served, found.variant, tuple(found.hparams))


def _wrong(gan: GAN[Any], networks: Collection[str], tensors: State) -> list[str]:
    """Name the tensors of some networks that are missing, have other shapes, or are too many."""
    own = {name: tensor for name, tensor in gan.state_dict().items() if name.partition(".")[0] in networks}
    own = {name: tensor for name, tensor in own.items() if not name.endswith(".num_batches_tracked")}
    both = {**own, **tensors}
    return [k for k in both if k not in own or k not in tensors or own[k].shape != tensors[k].shape]


def _misfit(file: Path, reader: Importer, why: str) -> UserError:
    return UserError(f"{file} is not a supported generator of {reader.KNOWN_BY}: {why}")
