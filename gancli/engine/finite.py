"""Detect and count non-finite steps on the device, without waiting for it."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.system import dist

IN_A_ROW = 10  # skipped steps after which training goes back to its last good state


def not_finite(loss: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    """Return a device scalar: 1 if a loss or gradient is not finite on any process, else 0."""
    found = torch.zeros((), dtype=torch.float32, device=loss.device)
    # scales by one: torch's only call that checks all tensors at once on every device
    torch._amp_foreach_non_finite_check_and_unscale_(  # pyright: ignore[reportPrivateImportUsage]
        [loss.detach(), *gradients], found, torch.ones_like(found)
    )
    return dist.mean_over_ranks(found).sign()


@torch.no_grad()
def step_unless(bad: Tensor, player: Optimizer) -> None:
    """Step an optimiser, or leave its weights and state unchanged if `bad` is 1, without waiting for the device."""
    if getattr(player, "_step_supports_amp_scaling", False):  # a fused optimiser checks found_inf itself
        player.found_inf = bad  # pyright: ignore[reportAttributeAccessIssue]
        player.step()
        return
    before = {id(tensor): tensor.clone() for tensor in _moved(player)}
    player.step()
    for tensor in _moved(player):
        kept = before.get(id(tensor), torch.zeros_like(tensor))  # optimiser state starts at zero, in the first step
        tensor.copy_(torch.where(bad.to(tensor.device) > 0, kept, tensor))


def _moved(player: Optimizer) -> list[Tensor]:
    weights = [p for group in player.param_groups for p in group["params"] if p.grad is not None]
    return weights + [v for state in player.state.values() for v in state.values() if isinstance(v, Tensor)]


class Health:
    """Count skipped steps on the device; only reading waits for it."""

    def __init__(self) -> None:
        self._skipped: Tensor | None = None
        self._row: Tensor | None = None

    def add(self, bad: Tensor) -> None:
        """Add a step; `bad` is 1 if any of its turns was skipped."""
        self._skipped = bad if self._skipped is None else self._skipped + bad
        self._row = bad if self._row is None else (self._row + 1) * bad

    def read(self) -> tuple[int, int]:
        """Return the number of steps skipped since the last reading, and of consecutive skipped steps up to now."""
        skipped, row = (0 if count is None else int(count) for count in (self._skipped, self._row))
        self._skipped = None
        return skipped, row


def finite(tensors: Iterable[Tensor]) -> bool:
    """Tell whether all values are finite; this waits for the device."""
    checks = [t.isfinite().all() for t in tensors if t.is_floating_point()]
    return not checks or bool(torch.stack(checks).all())
