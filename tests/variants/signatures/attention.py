"""SAGAN's point: parts of an image that are further apart than a convolution sees agree with each other."""

from typing import Any

import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.nets.high_fidelity import resnet_gan
from gancli.nets.layers import spectral
from gancli.system.seeds import seed_all
from tests.variants.signatures.table import Table
from tests.variants.small import make

table = Table()

HEIGHT, WIDTH = 16, 32
AT, RADIUS = (4, 28), 3  # two dots, 24 pixels apart
COLOURS = torch.tensor([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]])
ROWS, STEPS = 32, 1500


def drawn(left: Tensor, right: Tensor) -> Tensor:
    """Draw images (N, 3, 16, 32) of two dots at some height, in the colours (N,) of `left` and of `right`."""
    row, column = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH)
    height = torch.randint(RADIUS + 1, HEIGHT - RADIUS, (len(left), 1, 1))
    image = torch.full((len(left), 3, HEIGHT, WIDTH), -1.0)
    for x, colour in zip(AT, (left, right)):
        inside = (row - height).square() + (column - x).square() <= RADIUS**2
        image = torch.where(inside[:, None], COLOURS[colour][:, :, None, None], image)
    return image


def dots(n: int) -> Tensor:
    """Draw images whose dots agree."""
    colour = torch.randint(len(COLOURS), (n,))
    return drawn(colour, colour)


def reds(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return whether the left and the right dot (N,) are red or blue, whichever there is more of."""
    left, right = ((side[:, 0] - side[:, 2]).sum((1, 2)) > 0 for side in (image[..., :8], image[..., -8:]))
    return left, right


def agreement(image: Tensor) -> float:
    """Return the share of images whose dots have the same colour."""
    left, right = reds(image)
    return float((left == right).float().mean())


def against_local(seed: int, attention: bool) -> Any:
    """Make a SAGAN whose D adds up what its convolutions find in 16 pixels; attention is at half size, or nowhere."""
    seed_all("dots", seed)
    options = {"labels": False, "width": 8, "z_dim": 16, "taper": True, "attention": HEIGHT // 2 if attention else 0}
    gan: Any = make("sagan", DataSpec(3, HEIGHT, WIDTH), **options)
    trunk = resnet_gan.trunk(gan.spec, [16, 32], 2, gan.attended)
    gan.D = gan.projecting(trunk, 32).apply(resnet_gan.glorot)
    spectral.normalise(gan.D)
    return gan


def trained(seed: int, attention: bool, steps: int) -> Any:
    gan = against_local(seed, attention)
    players = gan.players()
    for player in players.values():
        player.param_groups[0].update(lr=1e-3, betas=(0.0, 0.99))
    for step in range(steps):
        seed_all("step", seed, step)
        image = dots(ROWS)
        play_step(gan, players, [gan.data(image, torch.full((ROWS,), -1))], Clock(step, step * ROWS, steps * ROWS))
    return gan.eval()


@table.signature("sagan", "share of images whose dots, 24 pixels apart, have the same colour", "no attention", 0.9)
def distant_dots_agree(seed: int, control: bool) -> float:
    """Without attention D cannot tell pairs that agree from others: its logit is a sum over places (a test)."""
    gan = trained(seed, not control, STEPS)
    seed_all("judged", seed)
    with torch.no_grad():
        return agreement(gan.generate(gan.prior(400)))
