"""The variables of networks that NVlabs pickled when they used TensorFlow; their class is never imported."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gancli.checkpoints.importers.layout import State
from gancli.system.untrusted.pickles import Record

NETWORK = "dnnlib.tflib.network.Network"
DEEPEST = 8


def is_network(value: Any) -> bool:
    """Tell whether a value is such a network."""
    return isinstance(value, Record) and value.name == NETWORK


def tensors(network: Record) -> State:
    """Return the numbers of a network, and of those that it is made of, by name: mapping/Dense0/weight."""
    return {name: torch.from_numpy(np.array(value)) for name, value in _walk(network, "", DEEPEST)}


def _walk(network: Record, prefix: str, deepest: int) -> Iterator[tuple[str, NDArray[Any] | np.floating[Any]]]:
    if not deepest:
        raise ValueError(f"its networks are nested more than {DEEPEST} times")
    held = network.fields()
    for pair in _list(held.get("variables")):
        name, value = pair if isinstance(pair, tuple) and len(pair) == 2 else (None, None)
        if isinstance(name, str) and isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
            yield prefix + name, value
    components = held.get("components")
    parts = components.items if isinstance(components, Record) else components
    for name, part in parts.items() if isinstance(parts, dict) else ():
        if is_network(part):
            yield from _walk(part, f"{prefix}{name}/", deepest - 1)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
