"""The variables of networks that NVlabs pickled when they used TensorFlow; their class is never imported."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from gancli.checkpoints.importers.layout import State
from gancli.system.untrusted.pickles import Record

NETWORK = "dnnlib.tflib.network.Network"
DEEPEST = 8


def tensors(held: Any) -> State | None:
    """Return the numbers of a network and of its parts by name, such as mapping/Dense0/weight; None for other values.

    Of G, D and the averaged G, which authors keep together, these are the last one's.
    """
    networks = held if isinstance(held, tuple) else (held,)
    if not networks or not all(map(_is_network, networks)):
        return None
    return {name: torch.from_numpy(np.array(value)) for name, value in _walk(networks[-1], "", set(), DEEPEST)}


def _is_network(value: Any) -> bool:
    return isinstance(value, Record) and value.name == NETWORK


def _walk(network: Record, prefix: str, seen: set[int], deepest: int) -> Iterator[tuple[str, Any]]:
    """Walk the networks, each once, as a file may nest them in themselves."""
    seen.add(id(network))
    held = network.fields()
    for pair in _list(held.get("variables")):
        name, value = pair if isinstance(pair, tuple) and len(pair) == 2 else (None, None)
        if isinstance(name, str) and isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
            yield prefix + name, value
    components = held.get("components")
    parts = components.items if isinstance(components, Record) else components
    for name, part in parts.items() if isinstance(parts, dict) else ():
        if deepest and _is_network(part) and id(part) not in seen:
            yield from _walk(part, f"{prefix}{name}/", seen, deepest - 1)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
