"""SAGAN's point: parts of an image that are further apart than a convolution sees agree with each other."""

from typing import Any

import torch
from torch import Tensor

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity import resnet_gan
from gancli.nets.layers import spectral
from tests.variants.signatures.table import Table, noise
from tests.variants.training import train

table = Table()

HEIGHT, WIDTH = 8, 32
AT, RADIUS = (4, 28), 3  # two dots, 24 pixels apart
COLOURS = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def drawn(left: Tensor, right: Tensor) -> Tensor:
    """Draw images (N, 3, 8, 32) of two dots in the colours (N,) of `left` and of `right`, on black."""
    row, column = torch.arange(HEIGHT)[:, None] + 0.5, torch.arange(WIDTH) + 0.5
    image = torch.full((len(left), 3, HEIGHT, WIDTH), -1.0)
    for x, colour in zip(AT, (left, right)):
        inside = (row - HEIGHT / 2).square() + (column - x).square() <= RADIUS**2
        image = torch.where(inside, COLOURS[colour][:, :, None, None], image)
    return image


def dots() -> Dataset[OptionallyLabelled]:
    """Images whose dots agree, one of each colour."""
    colour = torch.arange(len(COLOURS))
    pixels = drawn(colour, colour).add(1).mul(127.5).to(torch.uint8)
    return Dataset("dots", DataSpec(3, HEIGHT, WIDTH), OptionallyLabelled, OptionallyLabelled.columns_of(pixels))


def colours(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return which colours (N,) the left and the right dot are nearest to."""
    discs = (x - 2 for x in AT)
    left, right = (torch.cdist(image[:, :, 2:6, x : x + 4].mean((2, 3)), COLOURS).argmin(1) for x in discs)
    return left, right


def agreement(image: Tensor) -> float:
    """Return the share of images whose dots have the same colour.

    It is 0 if a colour has more than nine tenths of them: images of one colour agree without any sight of each other.
    """
    left, right = colours(image)
    if left.bincount().max() > 0.9 * len(image):
        return 0.0
    return float((left == right).float().mean())


def local(gan: Any) -> None:
    """Give a SAGAN a D that adds up what its convolutions find in 16 pixels, and what attention finds, if any."""
    trunk = resnet_gan.trunk(gan.spec, [16, 32], 2, gan.attended)
    gan.D = gan.projecting(trunk, 32).apply(resnet_gan.glorot)
    spectral.normalise(gan.D)


def trained(seed: int, attention: bool, steps: int) -> Any:
    """Train it on dots; attention is in D, at half of the resolution, or nowhere."""
    options: dict[str, Any] = {"width": 16, "z_dim": 16, "batch": 16, "labels": False}
    options |= {"lr": 2e-3, "g_lr": 1e-3, "r1": 10.0}  # without R1, G goes from one colour to the next
    return train("sagan", dots(), steps, seed, local, **options, attention=HEIGHT // 2 if attention else 0)[0]


@table.signature("sagan", "share of images whose dots, 24 pixels apart, have the same colour", "no attention", 0.9)
def distant_dots_agree(seed: int, control: bool) -> float:
    """Without attention D cannot tell pairs that agree from others: its logit is a sum over places (a test)."""
    gan = trained(seed, not control, 600)
    with torch.no_grad():
        return agreement(gan.generate(noise(0, 400, gan.hp.z_dim)))
