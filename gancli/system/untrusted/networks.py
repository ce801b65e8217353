"""Limit the networks that files of others make us build, whatever sizes they declare."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

LEAST, RATIO = 2**28, 64  # limit on network bytes: networks that only training needs may be larger than the file
MOST_TENSORS = 10_000
FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
WIDEST = 8  # bytes of a value
UNFIT = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError)


class _Sizes(TorchFunctionMode):
    """Refuses to make a tensor of more than so many bytes, before memory is taken for it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in FACTORIES:
            first = args[0] if args else (kwargs or {}).get("size", ())
            sides = first if isinstance(first, tuple | list) else [side for side in args if isinstance(side, int)]
            check(math.prod(sides) * WIDEST, self.most)
        return func(*args, **(kwargs or {}))


def check(size: int, most: int) -> None:
    """Raise ValueError for more bytes than are allowed."""
    if size > most:
        raise ValueError(f"they describe networks of more than {size:,} bytes, but the file is much smaller")


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Limit the networks built in the block to what a file of so many bytes can plausibly hold: else ValueError."""
    most, made = max(LEAST, RATIO * size), [0, 0]

    def register(_module: Any, _name: str, parameter: Any) -> None:
        made[0] += parameter.nbytes
        made[1] += 1
        check(made[0] if made[1] <= MOST_TENSORS else most + 1, most)

    hook = register_module_parameter_registration_hook(register)
    try:
        with _Sizes(most):
            yield
    finally:
        hook.remove()
