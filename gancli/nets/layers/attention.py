"""Self-attention over positions: Zhang et al. 2019, arXiv:1805.08318, section 3."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """Add what all other positions have to say: x + gamma o (section 3), with gamma 0 at the start.

    As in the authors' code, keys and values are pooled 2x2, unless `pooled` is off, and values have half the channels.
    """

    def __init__(self, channels: int, pooled: bool = True) -> None:
        super().__init__()
        inner, values = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = nn.Conv2d(channels, inner, 1, bias=False)  # queries, f of eq. 1
        self.phi = nn.Conv2d(channels, inner, 1, bias=False)  # keys, g of eq. 1
        self.g = nn.Conv2d(channels, values, 1, bias=False)  # values, h of eq. 2
        self.o = nn.Conv2d(values, channels, 1, bias=False)  # v of eq. 2
        self.gamma = nn.Parameter(torch.zeros(1))
        self.pooled = pooled

    def weights(self, x: Tensor) -> Tensor:
        """Return how much each position attends to each other one, (N, H W, positions of keys): rows sum to 1."""
        likeness = torch.bmm(self.theta(x).flatten(2).transpose(1, 2), self._seen(self.phi(x)))
        return likeness.float().softmax(2)  # float32: a sum of thousands

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        values = self._seen(self.g(x))
        o = torch.bmm(values, self.weights(x).to(values.dtype).transpose(1, 2))
        return x + self.gamma * self.o(o.unflatten(2, x.shape[2:]))

    def _seen(self, x: Tensor) -> Tensor:
        return (F.max_pool2d(x, 2) if self.pooled else x).flatten(2)
