"""Noise inside networks."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.system import dist


def maps_like(fixed: Tensor, n: int) -> Tensor:
    """Draw a map for all channels of each image, (n, 1, H, W): in training, in place of a fixed one (…, H, W)."""
    return dist.rows(lambda rows: torch.randn(rows, 1, *fixed.shape[-2:], device=fixed.device), n)


class Dropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole batch: torch's would be the same one on every process."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop values of (N, …) in training."""
        if not self.training:
            return input
        # of the input's layout, in which torch's own would draw
        last = input.dim() == 4 and input.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format

        def mask(rows: int) -> Tensor:
            ones = input.new_ones(rows, *input.shape[1:]).contiguous(memory_format=layout)
            return F.dropout(ones, self.p)

        return input * dist.rows(mask, len(input))
