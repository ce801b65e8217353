"""torch's optimisers without the import of its compiler, which takes 1.5 s only to exclude them from compiling."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer


class _Lean(Optimizer):
    """An optimiser that calls torch's methods without their wrappers."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as in torch."""
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients, as in torch."""
        inspect.unwrap(Optimizer.zero_grad)(self, set_to_none)


class Adam(_Lean, torch.optim.Adam):
    """Kingma and Ba 2015, arXiv:1412.6980."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, as in torch."""
        return inspect.unwrap(torch.optim.Adam.step)(self, closure)


class RMSprop(_Lean, torch.optim.RMSprop):
    """Tieleman and Hinton 2012, lecture 6.5. On a GPU its count of steps is there too, so that no step waits for it."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, decay: float = 0.99) -> None:
        weights = list(params)
        super().__init__(weights, lr, alpha=decay, capturable=weights[0].is_cuda)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, as in torch."""
        return inspect.unwrap(torch.optim.RMSprop.step)(self, closure)
