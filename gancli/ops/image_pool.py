"""A history of fakes, so that D does not forget what G has stopped to do (Shrivastava et al. 2017, section 2.3)."""

import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.system import dist


class ImagePool(nn.Module):
    """Up to `size` fakes, in buffers: checkpoints hold them. With 0 it hands back what it is given."""

    images: Tensor  # (size, C, H, W)
    count: Tensor  # (1,) how many of them are filled

    def __init__(self, size: int, spec: DataSpec) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, spec.channels, spec.height, spec.width))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    @torch.no_grad()
    def swap(self, fakes: Tensor) -> Tensor:
        """Give as many images (N, C, H, W): once full, each is with odds of 1/2 an old one that the new one replaces.

        All processes keep the same pool, which sees the whole batch.
        """
        fakes = fakes.detach()
        if not len(self.images):
            return fakes
        coins = dist.rows(lambda n: torch.rand(n, 2, device=fakes.device), len(fakes))
        everyone, coins = dist.all_rows(fakes), dist.all_rows(coins)
        swapped = [self._swap(image[None], coin) for image, coin in zip(everyone, coins)]
        first = dist.rank() * len(fakes) if dist.world() > 1 else 0
        return torch.cat(swapped[first : first + len(fakes)])

    def _swap(self, image: Tensor, coin: Tensor) -> Tensor:
        size = len(self.images)
        filling = self.count < size
        drawn = (coin[:1] * size).long().clamp(max=size - 1)
        slot = torch.where(filling, self.count, drawn)
        old = self.images.index_select(0, slot)
        keep = coin[1:] < 0.5
        taken = torch.where(filling | keep, image, old)
        given = torch.where(filling | ~keep, image, old)
        self.images.index_copy_(0, slot, taken)
        self.count.add_(filling)
        return given
