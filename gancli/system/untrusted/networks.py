"""Limit the networks that files of others make us build, whatever sizes they declare."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import register_module_parameter_registration_hook

LEAST, RATIO = 2**28, 64  # limit on network bytes: networks that only training needs may be larger than the file
MOST_TENSORS = 10_000
UNFIT = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError)


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Limit the networks built in the block to what a file of so many bytes can plausibly hold: else ValueError."""
    most, made = max(LEAST, RATIO * size), [0, 0]

    def register(_module: Any, _name: str, parameter: Any) -> None:
        made[0] += parameter.nbytes
        made[1] += 1
        if made[0] > most or made[1] > MOST_TENSORS:
            raise ValueError(f"they describe networks of more than {made[0]:,} bytes, but the file is much smaller")

    hook = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        hook.remove()
