"""Minibatch standard deviation: a critic sees how much the images of a batch differ."""

import torch
from torch import Tensor, nn

from gancli.system import dist


class MinibatchStddev(nn.Module):
    """Append a map that holds the features' mean standard deviation over the batch (Karras et al. 2018, section 3).

    arXiv:1710.10196. In evaluation it holds the mean of what training has seen, so that each image is judged alone.
    """

    mixes = "minibatch standard deviation"
    running: Tensor  # ()

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 1, H, W)."""
        value = self._spread(x.float()) if self.training else self.running
        return torch.cat([x, value.to(x.dtype).expand(len(x), 1, *x.shape[2:])], 1)

    def _spread(self, x: Tensor) -> Tensor:
        centred = x - dist.mean_of_rows(x)
        value = (dist.mean_of_rows(centred.square()) + 1e-8).sqrt().mean()
        with torch.no_grad():
            self.running.lerp_(value, 0.1)
        return value
