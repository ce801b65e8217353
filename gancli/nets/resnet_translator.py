"""The residual translator of CycleGAN: Zhu et al. 2017, arXiv:1703.10593, appendix 7.2, after Johnson et al. 2016.

c7s1-w, d2w, d4w, R4w times `blocks`, u2w, uw, c7s1; reflection padding, instance norm. At width 64 and 9 blocks it has
the 11,378,179 parameters of the authors' code less 5,248: biases in front of a norm, which takes them out again.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets.layers.convolution import Convolution, Transposed
from gancli.nets.layers.norms import InstanceNorm2d

DOWN = 2  # halvings


class Block(nn.Module):
    """x + two convolutions of it."""

    def __init__(self, channels: int, affine: bool = False) -> None:
        super().__init__()
        self.net = nn.Sequential(
            Convolution(channels, channels, 3, 1, 1, bias=False, padding_mode="reflect"),
            InstanceNorm2d(channels, affine),
            nn.ReLU(inplace=True),
            Convolution(channels, channels, 3, 1, 1, bias=False, padding_mode="reflect"),
            InstanceNorm2d(channels, affine),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add to x (N, C, H, W)."""
        return x + self.net(x)


class Blur(nn.Module):
    """Halve after a 1-2-1 filter, so that what is too fine does not alias (Zhang 2019, arXiv:1904.11486)."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("filter", row[:, None] * row, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H/2, W/2)."""
        kernel = self.filter.to(x.dtype).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), kernel, stride=2, groups=x.shape[1])


class Encoder(nn.Module):
    """An image to features at a quarter of its size: c7s1-w, d2w, d4w, then residual blocks.

    `down` says how often it halves: where the image is small already, a quarter of its size is too small. `affine`
    gives the norms a scale and a shift, as some published weights have.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        blocks: int,
        *,
        down: int = DOWN,
        antialias: bool = False,
        affine: bool = False,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_conv(channels, width, 7, 1, affine=affine))
        # with Blur the convolution keeps the size, and the norm comes before the halving (CUT's code)
        self.down = nn.ModuleList(
            nn.Sequential(
                *_conv(w, 2 * w, 3, 1 if antialias else 2, zeros=True, affine=affine),
                *([Blur()] if antialias else []),
            )
            for w in (width << i for i in range(down))
        )
        self.blocks = nn.ModuleList(Block(width << down, affine) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 4w, H/4, W/4)."""
        for layer in (self.stem, *self.down, *self.blocks):
            x = layer(x)
        return x

    def features(self, x: Tensor) -> list[Tensor]:
        """What the layers see on the way: pixels, the halvings' convolutions, the first and the middle block."""
        found, h = [x], self.stem(x)
        for down in self.down:
            assert isinstance(down, nn.Sequential)
            found.append(down[0](h))
            h = down[1:](found[-1].clone())  # its ReLU works in place
        for block in self.blocks[: (len(self.blocks) + 1) // 2]:
            h = block(h)
            found.append(h)
        first = 2 + len(self.down)
        return [*found[:first], *found[first:][-1:]]


class Decoder(nn.Module):
    """Features back to an image: residual blocks, u2w, uw, c7s1."""

    def __init__(
        self,
        channels: int,
        width: int,
        blocks: int = 0,
        *,
        down: int = DOWN,
        antialias: bool = False,
        affine: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width << down, affine) for _ in range(blocks))
        self.up = nn.ModuleList(_up(width << i, antialias, affine) for i in range(down, 0, -1))
        self.head = nn.Conv2d(width, channels, 7, 1, 3, padding_mode="reflect")

    def forward(self, h: Tensor) -> Tensor:
        """(N, 4w, H/4, W/4) -> (N, C, H, W) in [-1, 1]."""
        for layer in (*self.blocks, *self.up):
            h = layer(h)
        return torch.tanh(self.head(h))


class ResnetTranslator(nn.Module):
    """Images to images (N, C, H, W) of the same size, whose sides are multiples of 2^down, in [-1, 1]."""

    def __init__(
        self,
        width: int,
        blocks: int,
        spec: DataSpec,
        *,
        down: int = DOWN,
        antialias: bool = False,
        affine: bool = False,
    ) -> None:
        super().__init__()
        check_size(spec, down)
        self.encoder = Encoder(spec.channels, width, blocks, down=down, antialias=antialias, affine=affine)
        self.decoder = Decoder(spec.channels, width, down=down, antialias=antialias, affine=affine)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Translate."""
        return self.decoder(self.encoder(x))


def check_size(spec: DataSpec, down: int = DOWN) -> None:
    """Raise UserError for images that do not halve so often, or to less than two pixels."""
    multiple = 1 << down
    if spec.height % multiple or spec.width % multiple or min(spec.height, spec.width) < max(2 * multiple, 4):
        raise UserError(
            f"translators need sides that are multiples of {multiple}, not {spec.width}x{spec.height}: --size"
        )


def _conv(
    before: int, after: int, kernel: int, stride: int, *, zeros: bool = False, affine: bool = False
) -> list[nn.Module]:
    padding = "zeros" if zeros else "reflect"
    convolution = Convolution(before, after, kernel, stride, kernel // 2, bias=False, padding_mode=padding)
    return [convolution, InstanceNorm2d(after, affine), nn.ReLU(inplace=True)]


def _up(width: int, antialias: bool, affine: bool) -> nn.Sequential:
    half = width // 2
    if antialias:
        # the 1-3-3-1 filter that CUT's code enlarges with is bilinear interpolation
        enlarge: list[nn.Module] = [nn.Upsample(scale_factor=2, mode="bilinear")]
        enlarge.append(Convolution(width, half, 3, 1, 1, bias=False))
    else:
        enlarge = [Transposed(width, half, 3, 2, 1, output_padding=1, bias=False)]
    return nn.Sequential(*enlarge, InstanceNorm2d(half, affine), nn.ReLU(inplace=True))


def initialise_xavier(module: nn.Module) -> None:
    """Weights as in CUT's code: Glorot and Bengio 2010, with a gain of 0.02, which the norms take out again."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_normal_(module.weight, 0.02)


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), as in the authors' code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
