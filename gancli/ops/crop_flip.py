"""Random crops and mirror images of a batch, the same for all images that belong together."""

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.system import dist


def jitter(*images: Tensor, enlarge: float, mirror: bool) -> tuple[Tensor, ...]:
    """Enlarge by a share, cut back to size at a random place, and mirror every second one.

    Images (N, C, H, W) of one call get the same cuts, row by row: the two halves of a pair must stay aligned.
    """
    if not enlarge and not mirror:
        return images
    count, device = len(images[0]), images[0].device
    drawn = dist.rows(lambda n: torch.rand(n, 3, device=device), count)
    scale = 1 / (1 + enlarge)
    shift = (2 * drawn[:, :2] - 1) * (1 - scale)  # of the cut's middle, in half sides
    sign = torch.where(drawn[:, 2] < 0.5, -1.0, 1.0) if mirror else torch.ones(count, device=device)
    zero = torch.zeros(count, device=device)
    rows = [torch.stack([scale * sign, zero, shift[:, 0]], 1), torch.stack([zero, zero + scale, shift[:, 1]], 1)]
    theta = torch.stack(rows, 1)  # (N, 2, 3)
    return tuple(
        F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False) for x in images
    )
