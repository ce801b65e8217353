"""Checkpoints that describe themselves: one safetensors file each, no pickle, no side files.

Tensors: gan.* (networks and buffers), ema.* (averaged served networks), opt.<player>.<field>.<parameter>.
Metadata: one JSON object under "gancli", see `About`.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from gancli import atomic
from gancli.data.spec import DataSpec
from gancli.ema import EMA
from gancli.errors import UserError
from gancli.gan import GAN, Clock

FORMAT = 1
KEY = "gancli"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class About:
    """What a checkpoint says of itself."""

    variant: str
    hparams: dict[str, Any]
    data: dict[str, Any]  # of DataSpec
    clock: dict[str, int]
    run: dict[str, Any]  # seed, precision, versions, name of the data
    metrics: dict[str, float]
    source: str = ""  # sha256 of a variant that is a file of the user's
    format: int = FORMAT

    @property
    def spec(self) -> DataSpec:
        """The shape of the data it was trained on."""
        return DataSpec.from_json(self.data)


def save(path: Path, about: About, gan: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> None:
    """Write everything that training needs to go on, bit for bit."""
    tensors = {f"gan.{name}": tensor for name, tensor in gan.state_dict().items()} | _served(ema)
    names: dict[Tensor, str] = {parameter: name for name, parameter in gan.named_parameters()}
    for who, player in players.items():
        for parameter, state in player.state.items():
            for field, value in state.items():
                tensors[f"opt.{who}.{field}.{names[parameter]}"] = torch.as_tensor(value)
    _write(path, about, tensors)


def save_served(path: Path, about: About, ema: EMA) -> None:
    """Write only what use needs: the averaged networks."""
    _write(path, about, _served(ema))


def strip(path: Path) -> None:
    """Leave only what use needs in a checkpoint: the averaged networks."""
    with _opened(path) as file:
        kept = {name: file.get_tensor(name) for name in _names(file) if name.startswith("ema.")}
        if len(kept) < len(_names(file)):
            _write(path, describe(path), kept)


def _served(ema: EMA) -> dict[str, Tensor]:
    return {f"ema.{name}": tensor for name, tensor in ema.gan.state_dict().items()}


def _write(path: Path, about: About, tensors: Mapping[str, Tensor]) -> None:
    # a copy each: safetensors refuses storage that two names share
    unique = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    with atomic.replacing(path) as temporary:
        save_file(unique, temporary, metadata={KEY: json.dumps(dataclasses.asdict(about))})


# ---------------------------------------------------------------------------------------------- reading


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except SafetensorError as error:
        raise UserError(f"{path} is not a whole safetensors file: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _names(file: Any) -> list[str]:
    return list(file.keys())


def describe(path: Path) -> About:
    """Read what a checkpoint says of itself; raises UserError for a file that is none, or cut short."""
    if path.suffix != SUFFIX:
        raise UserError(f"{path} is not a checkpoint: give a {SUFFIX} file that gancli train wrote")
    with _opened(path) as file:
        text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise UserError(f"{path} is not a gancli checkpoint: its metadata has no '{KEY}'")
    try:
        about = About(**json.loads(text))
        spec = about.spec
        sound = about.format == FORMAT and min(spec.channels, spec.height, spec.width) > 0
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: its description is damaged: {error}") from None
    if not sound:
        raise UserError(f"{path} has format {about.format}; this gancli reads format {FORMAT}")
    return about


def fingerprint(path: Path) -> str:
    """Name the content of a checkpoint: the first 16 digits of its sha256."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:16]


def resumes(path: Path) -> bool:
    """Tell whether training can go on from a file: it is whole, and was not stripped."""
    try:
        with _opened(path) as file:
            return any(name.startswith("gan.") for name in _names(file))
    except UserError:
        return False


def load_served(path: Path, gan: GAN[Any]) -> None:
    """Read the averaged networks, and nothing else of the file, into a pruned GAN."""
    with _opened(path) as file:
        _fill(path, gan, {name[4:]: file.get_tensor(name) for name in _names(file) if name.startswith("ema.")})


def restore(path: Path, gan: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> Clock:
    """Read everything back in place; returns where training stood."""
    with _opened(path) as file:
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in _names(file)}
    _fill(path, gan, _below(tensors, "gan."))
    _fill(path, ema.gan, _below(tensors, "ema."))
    parameters = dict(gan.named_parameters())
    for who, player in players.items():
        player.state.clear()
        for field_and_name, value in _below(tensors, f"opt.{who}.").items():
            field, name = field_and_name.split(".", 1)
            player.state[parameters[name]][field] = _like(parameters[name], value)
    return Clock(**describe(path).clock)


def _below(tensors: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    return {name.removeprefix(head): tensor for name, tensor in tensors.items() if name.startswith(head)}


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """An optimiser's state laid out as its parameter is: fused kernels walk both in the order of memory."""
    if value.shape != parameter.shape:
        return value if value.dim() == 0 and parameter.device.type == "cpu" else value.to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


@torch.no_grad()
def _fill(path: Path, module: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    own = module.state_dict()
    wrong = sorted(
        name
        for name in {*own, *tensors}
        if name not in own or name not in tensors or own[name].shape != tensors[name].shape
    )
    if wrong:
        raise UserError(f"{path} does not fit its own description: {', '.join(wrong[:3])}")
    for name, tensor in own.items():
        tensor.copy_(tensors[name])
