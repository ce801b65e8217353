"""Published networks, written anew from their layout: what is imported is held against them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IN = nn.InstanceNorm2d


class Down(nn.Module):
    """CUT's blur: 1-2-1 after reflection, every second pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2, 1]) / 4
        self.register_buffer("filt", torch.outer(row, row)[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        filt: Any = self.filt
        return F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), filt, stride=2, groups=x.shape[1])


class Up(nn.Module):
    """CUT's enlargement: a transposed 1-3-3-1 convolution of the replicated image, cut to twice its size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3, 3, 1]) / 8
        self.register_buffer("filt", 4 * torch.outer(row, row)[None, None].repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        filt: Any = self.filt
        padded = F.pad(x, (1, 1, 1, 1), "replicate")
        return F.conv_transpose2d(padded, filt, stride=2, padding=2, groups=x.shape[1])[:, :, 1:-1, 1:-1]


class ResBlock(nn.Module):
    def __init__(self, w: int, dropout: bool) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(w, w, 3), IN(w)]
        noise = [nn.Dropout(0.5)] if dropout else []
        self.conv_block = nn.Sequential(*half, nn.ReLU(), *noise, nn.ReflectionPad2d(1), nn.Conv2d(w, w, 3), IN(w))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class ResNet(nn.Module):
    def __init__(self, w: int, blocks: int, *, cut: bool = False, dropout: bool = False, c: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(c, w, 7), IN(w), nn.ReLU()]
        for k in (1, 2):
            conv = nn.Conv2d(k * w, 2 * k * w, 3, 1 if cut else 2, 1)
            layers += [conv, IN(2 * k * w), nn.ReLU(), *([Down(2 * k * w)] if cut else [])]
        layers += [ResBlock(4 * w, dropout) for _ in range(blocks)]
        for k in (2, 1):
            up = [Up(2 * k * w), nn.Conv2d(2 * k * w, k * w, 3, 1, 1)]
            layers += up if cut else [nn.ConvTranspose2d(2 * k * w, k * w, 3, 2, 1, output_padding=1)]
            layers += [IN(k * w), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w, c, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Level(nn.Module):
    """One level of the nested U-Net; what it hands over is changed in place by the leaky ReLU after it."""

    def __init__(
        self, outer: int, inner: int, below: nn.Module | None, *, outermost: bool = False, dropout: bool = False
    ):
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(outer, inner, 4, 2, 1, bias=False)
        up = nn.ConvTranspose2d(inner * (2 if below else 1), outer, 4, 2, 1, bias=outermost)
        if outermost:
            assert below is not None
            layers = [down, below, nn.ReLU(True), up, nn.Tanh()]
        elif below is None:
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, nn.BatchNorm2d(outer)]
        else:
            norm = nn.BatchNorm2d(inner)
            layers = [nn.LeakyReLU(0.2, True), down, norm, below, nn.ReLU(True), up, nn.BatchNorm2d(outer)]
            layers += [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UNet(nn.Module):
    def __init__(self, w: int, depth: int, *, dropout: bool = False) -> None:
        super().__init__()
        level = Level(8 * w, 8 * w, None)
        for _ in range(depth - 5):
            level = Level(8 * w, 8 * w, level, dropout=dropout)
        for k in (4, 2, 1):
            level = Level(k * w, 2 * k * w, level)
        self.model = Level(3, w, level, outermost=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def rendition(make: Callable[[], nn.Module]) -> nn.Module:
    """Random weights large enough to tell networks apart, biases too; run as the authors do, less the dropout."""
    torch.manual_seed(3)
    net = make().train()
    for p in net.parameters():
        nn.init.normal_(p, 0.3 if p.dim() == 1 else 0.0, 0.2 if p.dim() == 1 else 0.05)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return net


def old(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As the first releases saved them: DataParallel's prefix, and norms with statistics."""
    aged = {f"module.{k}": v for k, v in state.items()}
    for k, v in state.items():
        if k.endswith("conv_block.1.weight") or k == "model.1.weight":
            head = k.rsplit(".", 2)[0]
            at = int(k.split(".")[-2]) + 1
            for name in ("running_mean", "running_var"):
                aged[f"module.{head}.{at}.{name}"] = torch.ones(len(v))
            aged[f"module.{head}.{at}.num_batches_tracked"] = torch.tensor(7)
    return aged
