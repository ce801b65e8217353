"""The tensors of pickled modules, whose classes are never imported: NVlabs' own, and torch's."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from gancli.checkpoints.importers.layout import State
from gancli.system.untrusted.pickles import Record

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"  # its argument holds the class's source, unused here
DEEPEST, MOST = 32, 20_000


def is_module(value: Any) -> bool:
    """Tell whether a value is a pickled module."""
    return isinstance(value, Record) and "_modules" in attributes(value)


def attributes(module: Record) -> dict[str, Any]:
    """Return the attributes of a pickled module."""
    if module.name != PERSISTENT:
        return module.fields()
    told = module.args[0] if module.args else None
    state = told.get("state") if isinstance(told, dict) else None
    return state if isinstance(state, dict) else {}


def tensors(module: Record) -> State:
    """Return the parameters and buffers of a module and of all in it by name; raise ValueError for an endless one."""
    found: State = {}
    for name, tensor in _walk(module, "", DEEPEST):
        found[name] = tensor
        if len(found) > MOST:
            raise ValueError(f"it holds more than {MOST:,} tensors")
    return found


def _walk(module: Record, prefix: str, deepest: int) -> Iterator[tuple[str, Tensor]]:
    if not deepest:
        raise ValueError(f"its modules are nested more than {DEEPEST} times")
    held = attributes(module)
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _items(held.get(kind)):
            if isinstance(tensor, Tensor):
                yield prefix + name, tensor
    for name, inner in _items(held.get("_modules")):
        if isinstance(inner, Record):
            yield from _walk(inner, f"{prefix}{name}.", deepest - 1)


def _items(held: Any) -> list[tuple[str, Any]]:
    """Return the items of a dict, or of the record of a subclass of one, whose keys are names."""
    if isinstance(held, Record):
        held = held.items
    return [(name, value) for name, value in held.items() if isinstance(name, str)] if isinstance(held, dict) else []
