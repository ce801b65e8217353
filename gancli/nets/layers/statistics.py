"""What the batch norms of a generator normalise by when it samples, for the truncation of its latents.

Truncated latents have other activations than those that the running statistics have followed: Brock et al. 2019,
arXiv:1809.11096, section 4.1 and appendix A.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gancli.nets.layers.norms import BatchNorm2d

STATISTICS = ("running_mean", "running_var")


def norms(network: nn.Module) -> dict[str, BatchNorm2d]:
    """Return the batch norms of a network by name."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, BatchNorm2d)}


@torch.no_grad()
def standing(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """Replace the running statistics by their means over batches that go through the network; return them by name."""
    found = norms(network)
    before = {norm: (norm.training, norm.momentum) for norm in found.values()}
    for norm in before:
        norm.reset_running_stats()
        norm.train().momentum = None  # a plain average
    for batch in batches:
        network(batch)
    for norm, (training, momentum) in before.items():
        norm.train(training).momentum = momentum
    return {f"{name}.{kind}": getattr(norm, kind) for name, norm in found.items() for kind in STATISTICS}


class Table(nn.Module):
    """The statistics of a batch norm (rows, C), for truncations that are evenly spaced from 0 to 1."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__()
        for kind in STATISTICS:
            self.register_buffer(kind, torch.zeros(rows, channels))

    def at(self, kind: str, truncation: float) -> Tensor:
        """Return a statistic (C,) for a truncation.

        As the authors of such tables do it: between two rows, the *lower* one has the share of the way to the upper.
        """
        rows: Tensor = getattr(self, kind)
        share, below = math.modf(truncation / (1 / (len(rows) - 1)))  # with their rounding: .14 / .02 is above 7
        below = int(below)
        return rows[below] * share + rows[below + 1] * (1 - share) if share else rows[below]


def tabulate(network: nn.Module, rows: int) -> None:
    """Give every batch norm a table of statistics, from which `chosen` takes them."""
    for norm in norms(network).values():
        norm.table = Table(rows, norm.num_features)


def chosen(network: nn.Module, truncation: float) -> dict[str, Tensor]:
    """Return the running statistics for a truncation in [0, 1] from the tables, by name."""
    tables = {f"{name}.{kind}": (norm.table, kind) for name, norm in norms(network).items() for kind in STATISTICS}
    return {name: table.at(kind, truncation) for name, (table, kind) in tables.items() if isinstance(table, Table)}
