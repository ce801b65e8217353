"""The PatchGAN discriminator: Isola et al. 2017, arXiv:1611.07004, section 3.2.2 and appendix 6.1.2.

Judges overlapping patches, each on its own: 70x70 pixels with three halvings, 34 with two, 16 with one.
At width 64 and 3 channels it has 2,763,841 parameters (the authors' 2,764,737 count biases that a norm takes out).
"""

import dataclasses

from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.nets.dcgan import SLOPE, initialise_unnormed
from gancli.nets.layers.convolution import Convolution
from gancli.nets.layers.norms import InstanceNorm2d
from gancli.nets.resnet_translator import Blur, initialise

WIDEST = 8  # times `width`
SCALES = 3
COARSEST = 4  # pixels per side that two layers can still judge


class PatchGAN(nn.Module):
    """Images (N, C, H, W) -> logits (N, 1, h, w), one a patch; `given` more channels tell what was translated.

    With `antialias`, each layer blurs before it halves (CUT's code).
    """

    def __init__(
        self, width: int, layers: int, spec: DataSpec, given: int = 0, *, norm: bool = True, antialias: bool = False
    ) -> None:
        super().__init__()
        halvings = min(layers, (min(spec.height, spec.width) // 3).bit_length() - 1)  # two more cost a pixel each
        before, net = spec.channels + given, []
        for i in range(max(halvings, 1) + 1):
            after, halves = width * min(2**i, WIDEST), i < halvings
            normed = [InstanceNorm2d(after)] if norm and i else []  # none on the input
            net.append(Convolution(before, after, 4, 2 if halves and not antialias else 1, 1, bias=not normed))
            net += [*normed, nn.LeakyReLU(SLOPE, inplace=True)]
            net += [Blur()] if halves and antialias else []
            before = after
        self.net = nn.Sequential(*net, nn.Conv2d(before, 1, 4, 1, 1))
        self.apply(initialise if norm else initialise_unnormed)

    def forward(self, x: Tensor) -> Tensor:
        """Judge patches."""
        return self.net(x)


class Scales(nn.Module):
    """PatchGANs without norm for an image, its half and its quarter (UNIT's code): the logits of each."""

    def __init__(self, width: int, layers: int, spec: DataSpec) -> None:
        super().__init__()
        sizes = [(spec.height >> i, spec.width >> i) for i in range(SCALES)]
        told = [dataclasses.replace(spec, height=h, width=w) for h, w in sizes if min(h, w) >= COARSEST]
        self.nets = nn.ModuleList(PatchGAN(width, layers, each, norm=False) for each in told)
        self.halve = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Judge patches of each scale."""
        found: list[Tensor] = []
        for net in self.nets:
            found.append(net(x))
            x = self.halve(x)
        return found
