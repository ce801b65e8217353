"""Replacements for the functions that pickles call to make torch's tensors.

Tensors are dense and on the CPU; those that share a storage share its memory. Other kinds are refused by name.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gancli.system.untrusted.pickles import Form, Machine, Name, named

MOST_AXES, LONGEST = 64, 2**48
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}
NAMED = {str(dtype): dtype for dtype in (torch.uint16, torch.uint32, torch.uint64)}  # dtypes without a storage class
HOMES = ("torch", "torch.cuda", "torch.storage")


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    """Bytes (N,), and the dtype of the numbers in them."""

    data: Tensor
    dtype: torch.dtype


# ------------------------------------------------------------------------------------------------ storages


def described(said: Any, length: int) -> tuple[torch.dtype, Any, int]:
    """Check a pickle's description of a storage, with `length` values; return dtype, key and count of numbers."""
    if not isinstance(said, tuple) or len(said) != length or said[0] != "storage":
        raise ValueError("it is damaged: a persistent id does not name a storage")
    _, kind, key, location, count = said[:5]
    if not isinstance(kind, Name) or kind.module not in HOMES or kind.name not in DTYPES:
        raise ValueError(f"it holds a tensor of {named(kind)}, {_sort(named(kind))} is not supported")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise ValueError("it is damaged: a storage has no key or size")
    if isinstance(location, str) and location == "meta":
        raise ValueError("it holds a meta tensor, which has no data")
    return DTYPES[kind.name], key, count


def _sort(kind: str) -> str:
    sorts = {"Complex": "a complex type, which", "Q": "a quantised type, which"}
    return next((words for start, words in sorts.items() if kind.rpartition(".")[2].startswith(start)), "which")


def check_truth(storage: Storage) -> None:
    """Raise ValueError for booleans that are neither 0 nor 1: torch relies on it."""
    if storage.dtype is torch.bool and storage.data.numel() and storage.data.max() > 1:
        raise ValueError("it is damaged: a boolean is neither 0 nor 1")


def check_same(storage: Storage, key: str, dtype: torch.dtype, count: int) -> Storage:
    """Return a storage if a repeated description matches it; else raise ValueError."""
    if storage.dtype is not dtype or storage.data.numel() != count * dtype.itemsize:
        raise ValueError(f"it is damaged: storage {key[:20]} does not have the size or type that it declares")
    return storage


# ------------------------------------------------------------------------------------------------ tensors


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, dtype: torch.dtype | None = None) -> Tensor:
    """Return a view of a storage; raise ValueError if it extends beyond it or shows a number more than once."""
    if not isinstance(storage, Storage):
        raise ValueError("it is damaged: a tensor has no storage")
    numbers = storage.data.view(dtype or storage.dtype)
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or not len(size) == len(stride) <= MOST_AXES:
        raise ValueError("it is damaged: a tensor has an invalid shape")
    if not all(type(n) is int and 0 <= n < LONGEST for n in (offset, *size, *stride)):
        raise ValueError("it is damaged: a tensor's shape is not made of whole numbers")
    count = math.prod(size)
    if count > len(numbers):
        raise ValueError(f"it holds an expanded tensor: {count:,} numbers from a storage of {len(numbers):,}")
    if count and offset + sum((n - 1) * step for n, step in zip(size, stride)) >= len(numbers):
        raise ValueError("it is damaged: a tensor extends beyond its storage")
    start = numbers.storage_offset()  # not 0 for a view of a storage
    return numbers.as_strided(size, stride, start + offset)


def _rebuilt(
    machine: Machine, storage: Any, offset: Any, size: Any, stride: Any, _grad: Any = False, _hooks: Any = None,
    said: Any = None,
) -> Tensor:  # fmt: skip
    tensor = _tensor(storage, offset, size, stride)
    if isinstance(said, dict) and said.get("neg"):  # a view with negated numbers
        machine.bounds.take(tensor.nbytes)
        return tensor.neg()
    return tensor


def _rebuilt_as(
    _machine: Machine, storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any,
    _said: Any = None,
) -> Tensor:  # fmt: skip
    if named(dtype) not in NAMED:
        raise ValueError(f"it holds a tensor of {named(dtype)}, which is not supported")
    return _tensor(storage, offset, size, stride, NAMED[named(dtype)])


def _first(_machine: Machine, tensor: Any, *_: Any) -> Any:
    """Return the tensor of a parameter."""
    return tensor


def _rebuilt_from(machine: Machine, function: Any, _kind: Any, args: Any, _state: Any) -> Any:
    """Return a tensor with attributes, or of a subclass."""
    return machine.call(function, args)


def _size(machine: Machine, sizes: Any = ()) -> Any:
    if not isinstance(sizes, list | tuple):
        raise ValueError("it is damaged: a shape is not a list")
    machine.bounds.take(8 * len(sizes))
    return tuple(sizes)


def _refusal(what: str) -> Form:
    def refuse(_machine: Machine, *_: Any) -> Any:
        raise ValueError(f"it holds a {what} tensor, which is not supported")

    return refuse


FORMS: dict[str, Form] = {
    **{f"torch._utils.{name}": _rebuilt for name in ("_rebuild_tensor", "_rebuild_tensor_v2")},
    "torch._utils._rebuild_tensor_v3": _rebuilt_as,
    **{f"torch._utils._rebuild_parameter{end}": _first for end in ("", "_with_state")},
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _first,
    **{f"torch._tensor._rebuild_from_type{end}": _rebuilt_from for end in ("", "_v2")},
    "torch.tensor._rebuild_from_type": _rebuilt_from,
    "torch.Size": _size,
    **{f"torch._utils._rebuild_{kind}_tensor": _refusal(kind) for kind in ("sparse", "sparse_csr", "nested")},
    "torch._utils._rebuild_qtensor": _refusal("quantised"),
    "torch._utils._rebuild_meta_tensor_no_storage": _refusal("meta"),
    "torch.nested._internal.nested_tensor._rebuild_njt": _refusal("nested"),
}
