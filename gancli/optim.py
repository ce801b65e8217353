"""torch's optimisers, spared the import of its compiler: 1.5 s, for no more than telling it to leave them alone."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


class _Lean(Optimizer):
    """Calls the methods that torch has wrapped."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's."""
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As torch's."""
        inspect.unwrap(Optimizer.zero_grad)(self, set_to_none)


class Adam(_Lean, torch.optim.Adam):
    """Kingma and Ba 2015, arXiv:1412.6980."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """As torch's."""
        return inspect.unwrap(torch.optim.Adam.step)(self, closure)


class RMSprop(_Lean, torch.optim.RMSprop):
    """Tieleman and Hinton 2012, lecture 6.5."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """As torch's."""
        return inspect.unwrap(torch.optim.RMSprop.step)(self, closure)
