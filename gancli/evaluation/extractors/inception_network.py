"""Inception v3 as FID and related scores use it: Szegedy et al. 2016, arXiv:1512.00567, section 6 and figures 5 to 7.

It is the graph that TensorFlow published on 2015-12-05, with its two peculiarities: average pooling excludes the
padding, and the last block uses max pooling. Weights have torch-fidelity's names. Call `fuse`, which fuses
convolutions and norms, before use.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval


class To(NamedTuple):
    """A convolution's output channels and kernel."""

    channels: int
    kernel: int | tuple[int, int] = 1


class Fork(NamedTuple):
    """Two parallel convolutions of the same input."""

    a: To
    b: To


FORK = Fork(To(384, (1, 3)), To(384, (3, 1)))
SHRINK = partial(F.max_pool2d, kernel_size=3, stride=2)
LARGEST = partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)
MEAN = partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)


class ConvNorm(nn.Module):
    """A convolution and its norm, which keep the size; with a stride, or if `bare`, there is no padding."""

    def __init__(self, before: int, to: To, stride: int = 1, *, bare: bool = False) -> None:
        super().__init__()
        padding = 0 if bare or stride > 1 else "same"
        self.conv = nn.Conv2d(before, to.channels, to.kernel, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(to.channels, eps=1e-3)
        self._laid_out: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D, h, w)."""
        if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or not torch.backends.mkldnn.is_available():
            return F.relu_(self.conv(x))
        # Bit-equal and a thirtieth faster: the weights are reordered for oneDNN once, not at each call, and the ReLU
        # is fused. torch has both for its compiler, under names that are not public
        how = [k // 2 * (self.conv.padding == "same") for k in self.conv.kernel_size], self.conv.stride, (1, 1), 1
        if self._laid_out is None:
            weight = self.conv.weight.to_mkldnn()
            self._laid_out = torch._C._nn.mkldnn_reorder_conv2d_weight(weight, *how, tuple(x.shape))  # pyright: ignore[reportAttributeAccessIssue]
            self.conv.register_parameter("weight", None)  # so that memory holds it only once
        return torch.ops.mkldnn._convolution_pointwise(x, self._laid_out, self.conv.bias, *how, "relu", [], "")

    def fuse(self) -> None:
        """Fuse both into one convolution, computed in float64."""
        assert isinstance(self.bn, nn.BatchNorm2d)
        self.conv = fuse_conv_bn_eval(self.conv.double(), self.bn.double()).float()
        self.bn = nn.Identity()


class InceptionBlock(nn.Module):
    """Parallel chains of convolutions and a pooling branch; `pooled` are the channels of the pooling branch.

    Blocks that downsample do so in the last step of each chain.
    """

    def __init__(
        self, before: int, pool: Callable[..., Tensor], pooled: int = 0, **chains: Sequence[To | Fork]
    ) -> None:
        super().__init__()
        self._pool, self._chains = pool, []
        for name, chain in chains.items():
            channels, steps = before, []
            for i, step in enumerate(chain, 1):
                stride = 2 if pool is SHRINK and i == len(chain) else 1
                both = {"": step} if isinstance(step, To) else step._asdict()
                layers = {f"{name}_{i}{letter}" if len(chain) > 1 else name: to for letter, to in both.items()}
                for layer, to in layers.items():
                    self.add_module(layer, ConvNorm(channels, to, stride))
                    channels = to.channels  # forks come last
                steps.append(list(layers))
            self._chains.append(steps)
        self.branch_pool = ConvNorm(before, To(pooled)) if pooled else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D, h, w)."""
        found = []
        for chain in self._chains:
            here = [x]
            for step in chain:
                here = [self.get_submodule(layer)(here[0]) for layer in step]
            found += here
        if self.branch_pool is None:
            found.append(self._pool(x))
        elif self._pool is MEAN:  # a 1x1 convolution commutes with the mean, and its output has fewer channels
            found.append(F.relu_(self._pool(self.branch_pool.conv(x))))
        else:
            found.append(self.branch_pool(self._pool(x)))
        return torch.cat(found, 1)


def _narrow(before: int, pooled: int) -> InceptionBlock:
    dbl = [To(64), To(96, 3), To(96, 3)]
    return InceptionBlock(before, MEAN, pooled, branch1x1=[To(64)], branch5x5=[To(48), To(64, 5)], branch3x3dbl=dbl)


def _long(c: int) -> InceptionBlock:
    once = [To(c), To(c, (1, 7)), To(192, (7, 1))]
    twice = [To(c), To(c, (7, 1)), To(c, (1, 7)), To(c, (7, 1)), To(192, (1, 7))]
    return InceptionBlock(768, MEAN, 192, branch1x1=[To(192)], branch7x7=once, branch7x7dbl=twice)


def _wide(before: int, pool: Callable[..., Tensor]) -> InceptionBlock:
    dbl = [To(448), To(384, 3), FORK]
    return InceptionBlock(before, pool, 192, branch1x1=[To(320)], branch3x3=[To(384), FORK], branch3x3dbl=dbl)


class Network(nn.Module):
    """Images (N, 3, 299, 299) in [-1, 1] -> features (N, 2048); `fc` holds the weights of the 1008 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, To(32, 3), 2)
        self.Conv2d_2a_3x3 = ConvNorm(32, To(32, 3), bare=True)
        self.Conv2d_2b_3x3 = ConvNorm(32, To(64, 3))
        self.Conv2d_3b_1x1 = ConvNorm(64, To(80))
        self.Conv2d_4a_3x3 = ConvNorm(80, To(192, 3), bare=True)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _narrow(192, 32), _narrow(256, 64), _narrow(288, 64)
        self.Mixed_6a = InceptionBlock(288, SHRINK, branch3x3=[To(384, 3)], branch3x3dbl=[To(64), To(96, 3), To(96, 3)])
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(_long, (128, 160, 160, 192))
        both = [To(192), To(192, (1, 7)), To(192, (7, 1)), To(192, 3)]
        self.Mixed_7a = InceptionBlock(768, SHRINK, branch3x3=[To(192), To(320, 3)], branch7x7x3=both)
        self.Mixed_7b, self.Mixed_7c = _wide(1280, MEAN), _wide(2048, LARGEST)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of images."""
        x = SHRINK(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = SHRINK(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        for block in (block for name, block in self.named_children() if name.startswith("Mixed")):
            x = block(x)
        return x.mean((2, 3))

    def fuse(self) -> None:
        """Fuse all convolutions with their norms."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fuse()
