"""Read tensors from other people's files without running any code in them."""

from pathlib import Path
from typing import Any

from torch import Tensor

from gancli.checkpoints.importers.layout import State
from gancli.checkpoints.importers.reading import modules, ncnn, tensorflow
from gancli.errors import UserError
from gancli.system.untrusted import npz, torch_files
from gancli.system.untrusted.bounds import LARGEST
from gancli.system.untrusted.door import printable
from gancli.system.untrusted.ncnn import is_ncnn
from gancli.system.untrusted.pickles import Name, Record, named

MOST_WRAPPERS = 8
# what people keep a generator under; averaged weights before the others
WRAPPERS = (
    "params_ema", "params-ema", "g_ema", "G_ema", "model_ema", "ema_state_dict", "avgG", "g_running", "generator_ema",
    "netG_state_dict", "generator_state_dict", "G_state_dict", "netG", "params", "state_dict", "model_state_dict",
    "generator", "genA2B", "netG_A2B", "model", "net", "G", "g",
)  # fmt: skip
PREFIXES = ("module.", "netG.", "generator_ema.")


def read_state_dict(file: Path) -> State:
    """Read the tensors of a file without running code in it; raise UserError if it is not a state dict."""
    state = _read(file)
    if sum(tensor.numel() * max(tensor.element_size(), 4) for tensor in state.values()) > LARGEST:
        raise UserError(f"{file} holds more than {LARGEST:,} bytes of tensors")
    if lost := [name for name, t in state.items() if t.is_floating_point() and not t.isfinite().all()]:
        raise UserError(f"{file} holds values that are not finite: {printable(', '.join(lost[:3]))}")
    return {_plain(name): tensor.float() for name, tensor in state.items()}


def _read(file: Path) -> State:
    if is_ncnn(file):
        return ncnn.read(file)
    return npz.load(file) if file.suffix == ".npz" else _state(torch_files.load(file), file)


def _plain(name: str) -> str:
    """Leave out what wrappers of modules put in front of a name."""
    while found := next((prefix for prefix in PREFIXES if name.startswith(prefix)), None):
        name = name.removeprefix(found)
    return name


def _state(held: Any, file: Path) -> State:
    """Unwrap a state dict; a file may be wrapped in itself, so the depth is limited."""
    if (found := tensorflow.tensors(held)) is not None:
        return found
    beside: State = {}
    for _ in range(MOST_WRAPPERS):
        inner = _inner(held)
        if inner is None:
            break
        beside |= {name: value for name, value in held.items() if isinstance(value, Tensor)}  # such as a mean style
        held = inner
    if modules.is_module(held):
        try:
            held = modules.tensors(held)
        except ValueError as error:
            raise UserError(f"{file} cannot be read: {error}") from None
    values = held.values() if isinstance(held, dict) else [held]
    if made := next((value for value in values if isinstance(value, Record | Name)), None):
        raise UserError(f"{file} is refused: it asks to run {printable(named(made))}; nothing was run")
    if not isinstance(held, dict) or not all(isinstance(v, Tensor) and isinstance(k, str) for k, v in held.items()):
        raise UserError(f"{file} is not a state dict: it must be a dict of named tensors")
    return beside | held


def _inner(held: Any) -> Any:
    """Return the dict or module that a wrapper holds, or None if it is no wrapper."""
    if not isinstance(held, dict):
        return None
    found = (held[key] for key in WRAPPERS if key in held)
    return next((value for value in found if isinstance(value, dict) or modules.is_module(value)), None)
