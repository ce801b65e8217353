"""CartoonGAN's generator: Chen, Lai and Liu 2018, "CartoonGAN", CVPR, section 3.1, as its released weights have it.

Each halving and doubling is two convolutions before one norm, and channels are in the order blue, green, red. Tensors
have the names of github.com/Yijunmaverick/CartoonGAN-Test-Pytorch-Torch, and 11.13 million parameters, apart from the
norms' scale and shift, which are called weight and bias.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.nets.layers.norms import InstanceNorm2d

BLOCKS = range(4, 12)  # the names of the residual ones
EPS = 1e-9


class CartoonNet(nn.Module):
    """Images (N, 3, H, W), whose sides are multiples of 4, red first, in [-1, 1], to drawings of the same size.

    `widths` are the channels at the full size, at half, and at a quarter of it.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256), channels: int = 3) -> None:
        super().__init__()
        full, half, quarter = widths
        layers: dict[str, nn.Module] = {"conv01_1": nn.Conv2d(channels, full, 7), "in01_1": _norm(full)}
        for name, before, after in (("02", full, half), ("03", half, quarter)):
            layers[f"conv{name}_1"] = nn.Conv2d(before, after, 3, 2, 1)
            layers[f"conv{name}_2"] = nn.Conv2d(after, after, 3, 1, 1)
            layers[f"in{name}_1"] = _norm(after)
        for block in BLOCKS:
            for part in "12":
                layers[f"conv{block:02}_{part}"] = nn.Conv2d(quarter, quarter, 3)
                layers[f"in{block:02}_{part}"] = _norm(quarter)
        for name, norm, before, after in (("01", "12", quarter, half), ("02", "13", half, full)):
            layers[f"deconv{name}_1"] = nn.ConvTranspose2d(before, after, 3, 2, 1, 1)
            layers[f"deconv{name}_2"] = nn.Conv2d(after, after, 3, 1, 1)
            layers[f"in{norm}_1"] = _norm(after)
        layers["deconv03_1"] = nn.Conv2d(full, channels, 7)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Translate."""
        x = torch.relu(self._run(_padded(x.flip(1), 3), "conv01_1", "in01_1"))
        for name in ("02", "03"):
            x = torch.relu(self._run(x, f"conv{name}_1", f"conv{name}_2", f"in{name}_1"))
        for block in BLOCKS:
            h = torch.relu(self._run(_padded(x, 1), f"conv{block:02}_1", f"in{block:02}_1"))
            x = x + self._run(_padded(h, 1), f"conv{block:02}_2", f"in{block:02}_2")
        for name, norm in (("01", "12"), ("02", "13")):
            x = torch.relu(self._run(x, f"deconv{name}_1", f"deconv{name}_2", f"in{norm}_1"))
        return torch.tanh(self._run(_padded(x, 3), "deconv03_1")).flip(1)

    def _run(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self.get_submodule(name)(x)
        return x


def _norm(channels: int) -> InstanceNorm2d:
    return InstanceNorm2d(channels, affine=True, eps=EPS)


def _padded(x: Tensor, by: int) -> Tensor:
    return F.pad(x, [by] * 4, "reflect")
