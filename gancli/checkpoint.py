"""Checkpoints that describe themselves: one safetensors file each, no pickle, no side files.

Tensors: gan.* (networks and buffers), ema.* (averaged served networks), opt.<player>.<field>.<parameter>.
Metadata: one JSON object under "gancli", see `About`. It holds a hash of itself and of each of the three parts, so that
a part is checked when it is read, and by itself.
"""

import dataclasses
import errno
import json
import re
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
from gancli.digests import sha256_of
from gancli.ema import EMA
from gancli.errors import UserError
from gancli.gan import GAN, Clock

FORMAT = 1
KEY = "gancli"
SUFFIX = ".safetensors"
PARTS = ("gan", "ema", "opt")
MOST = 1024  # pixels a side: a larger claim is damage


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
    sha256: dict[str, str] = dataclasses.field(default_factory=dict)  # of each part, and of all else that stands here

    @property
    def spec(self) -> DataSpec:
        """The shape of the data it was trained on."""
        return DataSpec.from_json(self.data)

    def hash(self) -> str:
        """Name what it says, but for the hashes."""
        said = dataclasses.asdict(self) | {"sha256": None}
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def check(self) -> None:
        """Raise TypeError or ValueError for what `save` does not write: a damaged file, or one made to do harm."""
        kinds: dict[str, type] = {f.name: dict for f in dataclasses.fields(self)}
        kinds |= {"variant": str, "source": str, "format": int}
        numbers = [*self.clock.values(), *self.metrics.values()]
        wrong = [name for name, kind in kinds.items() if not isinstance(getattr(self, name), kind)]
        if (
            wrong
            or not all(isinstance(n, int | float) for n in numbers)
            or {*self.clock} != {"step", "images", "total"}
        ):
            raise ValueError(f"{', '.join(wrong) or 'clock or metrics'} is not what it should be")
        self.spec.check(MOST)
        if self.sha256 and self.sha256.get("about") != self.hash():
            raise ValueError("it is not what its hash says")


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
    about = dataclasses.replace(about, sha256={part: _hash(_below(unique, f"{part}.")) for part in PARTS})
    about.sha256["about"] = about.hash()
    with atomic.replacing(path) as temporary:
        try:
            save_file(unique, temporary, metadata={KEY: json.dumps(dataclasses.asdict(about))})
        except SafetensorError as error:  # it words what the system says: "… (os error 28)"
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]) if code else errno.EIO, str(error)) from None


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """Name the content of a part: names, types, shapes and bytes."""
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
        raise UserError(f"{path} is not a whole safetensors file: {error}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _names(file: Any) -> list[str]:
    return list(file.keys())


def is_text(path: Path) -> bool:
    """Tell whether a path is UTF-8, as safetensors wants it; Linux lets names hold any bytes."""
    return str(path).encode(errors="ignore").decode() == str(path)


def describe(path: Path) -> About:
    """Read what a checkpoint says of itself; raises UserError for a file that is none, cut short, or damaged there."""
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
    return about


def fingerprint(path: Path) -> str:
    """Name the content of a checkpoint: the first 16 digits of its sha256."""
    return sha256_of(path)[:16]


def whole(path: Path) -> bool:
    """Tell whether a file is what was written, to the last bit."""
    try:
        return all(_read(path, part) is not None for part in PARTS)
    except UserError:
        return False


def resumes(path: Path) -> bool:
    """Tell whether training can go on from a file: it is whole, and was not stripped."""
    if not whole(path):
        return False
    with _opened(path) as file:
        return any(name.startswith("gan.") for name in _names(file))


def load_served(path: Path, gan: GAN[Any]) -> None:
    """Read the averaged networks, and nothing else of the file, into a pruned GAN."""
    _fill(path, gan, _read(path, "ema"))


@torch.no_grad()
def restore(path: Path, gan: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> Clock:
    """Read everything back in place; returns where training stood."""
    _fill(path, gan, _read(path, "gan"))
    _fill(path, ema.gan, _read(path, "ema"))
    parameters, states = dict(gan.named_parameters()), _read(path, "opt")
    for who, player in players.items():
        _forget(player)
        for field_and_name, value in _below(states, f"{who}.").items():
            field, _, name = field_and_name.partition(".")
            if name not in parameters:
                raise _unfit(path, [field_and_name])
            state = player.state[parameters[name]]
            if field in state:
                state[field].copy_(value)
            else:
                state[field] = _like(parameters[name], value)
    return Clock(**describe(path).clock)


def reset(gan: GAN[Any], fresh: GAN[Any], players: Mapping[str, Optimizer], ema: EMA) -> None:
    """Put everything back in place to where a fresh GAN begins."""
    gan.load_state_dict(fresh.state_dict())
    ema.gan.load_state_dict({name: gan.state_dict()[name] for name in ema.gan.state_dict()})
    for player in players.values():
        _forget(player)


def _forget(player: Optimizer) -> None:
    """Put the state of an optimiser back to its beginning, zeros, where it is: a CUDA graph may read it."""
    for state in player.state.values():
        for value in state.values():
            value.zero_()


def _read(path: Path, part: str) -> dict[str, Tensor]:
    """Read one part of a file; raises UserError when it is not what its hash says."""
    with _opened(path) as file:
        about = _described(path, file)
        names = [name for name in _names(file) if name.startswith(f"{part}.")]
        tensors = {name: file.get_tensor(name) for name in names}
    found = {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items()}
    if about.sha256 and about.sha256.get(part) != _hash(found):
        raise UserError(f"{path} is damaged: its {part} tensors are not what their hash says")
    return found


def _below(tensors: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    return {name.removeprefix(head): tensor for name, tensor in tensors.items() if name.startswith(head)}


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """An optimiser's state laid out as its parameter is: fused kernels walk both in the order of memory."""
    if value.shape != parameter.shape:
        return value if value.dim() == 0 and parameter.device.type == "cpu" else value.to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _form(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


@torch.no_grad()
def _fill(path: Path, module: torch.nn.Module, tensors: Mapping[str, Tensor]) -> None:
    own = module.state_dict()
    wrong = sorted(
        name
        for name in {*own, *tensors}
        if name not in own or name not in tensors or _form(own[name]) != _form(tensors[name])
    )
    if wrong:
        raise _unfit(path, wrong)
    if lost := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise UserError(f"{path} holds numbers that are not finite: {', '.join(sorted(lost)[:3])}")
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def _unfit(path: Path, names: list[str]) -> UserError:
    return UserError(f"{path} does not fit its own description: {', '.join(names[:3])}")
