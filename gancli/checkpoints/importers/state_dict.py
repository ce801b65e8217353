"""Read tensors from other people's files without running any code in them."""

from pathlib import Path
from typing import Any

from torch import Tensor

from gancli.errors import UserError
from gancli.system.untrusted import torch_files
from gancli.system.untrusted.bounds import LARGEST
from gancli.system.untrusted.door import printable
from gancli.system.untrusted.pickles import Name, Record, named

MOST_WRAPPERS = 8
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "filt")

State = dict[str, Tensor]


def read_state_dict(file: Path) -> State:
    """Read the tensors of a .pth without running code in it; raise UserError if it is not a state dict."""
    state = _state(torch_files.load(file), file)
    if sum(tensor.numel() * max(tensor.element_size(), 4) for tensor in state.values()) > LARGEST:
        raise UserError(f"{file} holds more than {LARGEST:,} bytes of tensors")
    if lost := [name for name, t in state.items() if t.is_floating_point() and not t.isfinite().all()]:
        raise UserError(f"{file} holds values that are not finite: {printable(', '.join(lost[:3]))}")
    return {k.removeprefix("module."): v.float() for k, v in state.items() if k.rsplit(".", 1)[-1] not in BUFFERS}


def _state(held: Any, file: Path) -> State:
    """Unwrap a state dict; a file may be wrapped in itself, so the depth is limited."""
    for _ in range(MOST_WRAPPERS):
        if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
            held = held["state_dict"]
    values = held.values() if isinstance(held, dict) else [held]
    if made := next((value for value in values if isinstance(value, Record | Name)), None):
        raise UserError(f"{file} is refused: it asks to run {printable(named(made))}; nothing was run")
    if not isinstance(held, dict) or not all(isinstance(v, Tensor) and isinstance(k, str) for k, v in held.items()):
        raise UserError(f"{file} is not a state dict: it must be a dict of named tensors")
    return held
