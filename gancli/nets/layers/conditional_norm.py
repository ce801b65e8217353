"""Conditional batch norm, which tells every layer of a generator the class: de Vries et al. 2017, arXiv:1707.00683."""

import torch
from torch import Tensor, nn

from gancli.nets.layers.norms import BatchNorm2d


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose gain and bias are linear in a code (N, `code`): a one-hot label, or an embedding of it.

    The gain is `centre` plus that (BigGAN: 1; a table of absolute gains: 0). With no code it is a plain batch norm.
    """

    def __init__(self, channels: int, code: int, eps: float = 1e-5, centre: float = 1.0) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, eps, affine=not code)
        self.gain = nn.Linear(code, channels, bias=False) if code else None
        self.bias = nn.Linear(code, channels, bias=False) if code else None
        self.centre = centre

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Normalise x (N, C, H, W) as the code (N, `code`) has it."""
        normal = self.norm(x)
        if self.gain is None or self.bias is None:
            return normal
        gain, bias = self.centre + self.gain(code), self.bias(code)
        return torch.addcmul(bias[:, :, None, None], normal, gain[:, :, None, None])
