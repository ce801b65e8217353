"""Self-describing checkpoints: one safetensors file each, no pickle, no side files.

Tensors: gan.* (networks and buffers), ema.* (averaged served networks), opt.<player>.<field>.<parameter>.
Metadata: one JSON object under "gancli", see `About`. It holds a hash of itself and of each of the three parts, so that
each part is checked when it is read, independently of the others.
"""

import dataclasses
import errno
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from gancli.checkpoints import states
from gancli.checkpoints.about import FORMAT, About
from gancli.checkpoints.ema import EMA, pruned
from gancli.checkpoints.older import biased, completed, lacking, rebuilt
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.system import atomic
from gancli.system.digests import sha256_of

KEY = "gancli"
SUFFIX = ".safetensors"
PARTS = ("gan", "ema", "opt")


def save(path: Path, about: About, gan: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> None:
    """Save everything that training needs to resume, bit for bit."""
    tensors = {f"gan.{name}": tensor for name, tensor in gan.state_dict().items()} | _served(ema)
    remembered = {f"opt.{name}": tensor for name, tensor in states.named(gan, players).items()}
    _write(path, about, tensors | remembered)


def save_served(path: Path, about: About, ema: EMA) -> None:
    """Save only the inference weights: the averaged networks."""
    _write(path, about, _served(ema))


def strip(path: Path) -> None:
    """Reduce a checkpoint to its inference weights, the averaged networks; raise UserError if it is damaged."""
    with _opened(path) as file:
        stripped = all(name.startswith("ema.") for name in _names(file))
    if not stripped:
        _write(path, describe(path), {f"ema.{name}": tensor for name, tensor in _read(path, "ema").items()})


def _served(ema: EMA) -> dict[str, Tensor]:
    return {f"ema.{name}": tensor for name, tensor in ema.gan.state_dict().items()}


def _write(path: Path, about: About, tensors: Mapping[str, Tensor]) -> None:
    # safetensors refuses tensors that share storage, so each one is copied
    unique = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    metrics: Any = {name: value if math.isfinite(value) else None for name, value in about.metrics.items()}
    hashes = {part: _hash(_below(unique, f"{part}.")) for part in PARTS}
    about = dataclasses.replace(about, metrics=metrics, sha256=hashes)
    about.sha256["about"] = about.hash()
    with atomic.replacing(path) as temporary:
        try:
            save_file(unique, temporary, metadata={KEY: json.dumps(dataclasses.asdict(about))})
        except SafetensorError as error:  # the system's error code is only in its text: "… (os error 28)"
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]) if code else errno.EIO, str(error)) from None


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """Hash the content of a part: names, types, shapes and bytes."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------- reading


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except SafetensorError as error:
        raise UserError(f"{path} is not a complete safetensors file: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _names(file: Any) -> list[str]:
    return list(file.keys())


def is_text(path: Path) -> bool:
    """Return whether a path is UTF-8, as safetensors requires; Linux allows any bytes in names."""
    return str(path).encode(errors="ignore").decode() == str(path)


def describe(path: Path) -> About:
    """Read the metadata of a checkpoint; raise UserError if it is not a checkpoint, or truncated or damaged there."""
    if path.suffix != SUFFIX:
        raise UserError(f"{path} is not a checkpoint: give a {SUFFIX} file that gancli train wrote")
    if not is_text(path):
        raise UserError(f"{path} has a name that is not UTF-8: rename it")
    with _opened(path) as file:
        return _described(path, file)


def _described(path: Path, file: Any) -> About:
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise UserError(f"{path} is not a gancli checkpoint: its metadata has no '{KEY}'")
    try:
        about = About(**json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: its description is damaged: {error}") from None
    if about.format != FORMAT:
        raise UserError(f"{path} has format {about.format}; this gancli reads format {FORMAT}")
    try:
        about.check()
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: its description is damaged: {error}") from None
    metrics = {name: math.nan if value is None else value for name, value in about.metrics.items()}
    return dataclasses.replace(about, metrics=metrics)


def is_one(path: Path) -> bool:
    """Return whether a file has the metadata of a checkpoint; its tensors are not checked."""
    try:
        return bool(describe(path))
    except UserError:
        return False


def fingerprint(path: Path) -> str:
    """Identify a checkpoint by its content: the first 16 digits of its sha256."""
    return sha256_of(path)[:16]


def whole(path: Path) -> bool:
    """Return whether a file is intact, to the last bit."""
    try:
        return all(_read(path, part) is not None for part in PARTS)
    except UserError:
        return False


def check_parts(path: Path) -> None:
    """Raise UserError unless every part of a file matches its hash and is finite."""
    for part in PARTS:
        _check_finite(path, _read(path, part))


def resumes(path: Path) -> bool:
    """Return whether training can resume from a file: it is intact and was not stripped."""
    return whole(path) and "gan" in _heads(path, 0)


def networks(path: Path) -> set[str]:
    """Name the networks of which a checkpoint holds weights."""
    return _heads(path, 1)


def _heads(path: Path, part: int) -> set[str]:
    with _opened(path) as file:
        return {name.split(".")[part] for name in _names(file) if name.startswith(("gan.", "ema."))}


def load_served(path: Path, gan: GAN[Any]) -> None:
    """Load only the averaged networks into a pruned GAN; drop judges that a file of an older version lacks."""
    tensors = _read(path, "ema")
    if lacking(gan, tensors):
        tensors = completed(gan, tensors, _read(path, "gan"))
        pruned(gan, without=lacking(gan, tensors))  # the file was stripped
    tensors = biased(gan, tensors)
    _check(path, gan, tensors)
    _fill(gan, tensors)


@torch.no_grad()
def restore(path: Path, gan: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> Clock:
    """Restore everything in place and return the clock of the run.

    Raise UserError, before anything has changed, if the file does not fit.
    """
    weights, served, remembered = (_read(path, part) for part in PARTS)
    served = completed(ema.gan, served, weights)
    weights, served = biased(gan, weights), biased(ema.gan, served)
    if names := rebuilt(gan, weights):
        raise UserError(
            f"{path} does not match its own description: {', '.join(names)} had another architecture in the version "
            "of gancli that wrote it; resume it with that version, or train a new run (inference still works)"
        )
    _check(path, gan, weights)
    _check(path, ema.gan, served)
    clock = Clock(**describe(path).clock)
    try:
        fitted = states.fitting(gan, players, remembered, trained=clock.step > 0)
    except ValueError as error:
        raise UserError(f"{path} does not match its own description: {error}") from None
    _fill(gan, weights)
    _fill(ema.gan, served)
    states.put(players, fitted)
    return clock


def reset(gan: GAN[Any], fresh: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> None:
    """Reset everything in place to the state of a fresh GAN."""
    gan.load_state_dict(fresh.state_dict())
    ema.gan.load_state_dict({name: gan.state_dict()[name] for name in ema.gan.state_dict()})
    for player in players.values():
        states.forget(player)


def _read(path: Path, part: str) -> dict[str, Tensor]:
    """Read one part of a file; raise UserError if it does not match its hash."""
    with _opened(path) as file:
        about = _described(path, file)
        names = [name for name in _names(file) if name.startswith(f"{part}.")]
        tensors = {name: file.get_tensor(name) for name in names}
    found = {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items()}
    if about.sha256 and about.sha256.get(part) != _hash(found):
        raise UserError(f"{path} is damaged: its {part} tensors do not match their hash")
    return found


def part(path: Path, name: str) -> dict[str, Tensor]:
    """Read the tensors of a part, gan or ema; empty if the file lacks it. Raise UserError if they are damaged."""
    return _read(path, name)


def names(path: Path, part: str) -> list[str]:
    """Return the names of the tensors of a part, gan or ema."""
    with _opened(path) as file:
        return [name.removeprefix(f"{part}.") for name in _names(file) if name.startswith(f"{part}.")]


def _below(tensors: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    return {name.removeprefix(head): tensor for name, tensor in tensors.items() if name.startswith(head)}


def _check(path: Path, module: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raise UserError for tensors that do not match the module's, or are not finite."""
    own, given = ({name: (t.shape, t.dtype) for name, t in side.items()} for side in (module.state_dict(), tensors))
    wrong = sorted(name for name in {*own, *given} if own.get(name) != given.get(name))
    if wrong:
        raise UserError(f"{path} does not match its own description: {', '.join(wrong[:3])}")
    _check_finite(path, tensors)


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if lost := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise UserError(f"{path} holds values that are not finite: {', '.join(sorted(lost)[:3])}")


@torch.no_grad()
def _fill(module: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in module.state_dict().items():
        tensor.copy_(tensors[name])
