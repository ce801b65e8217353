"""SAGAN's point: parts of an image that are further apart than a convolution sees agree with each other. Slow."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.nets.high_fidelity import resnet_gan
from gancli.nets.layers import spectral
from gancli.system.seeds import seed_all
from tests.variants.small import make

SIDE, AT, RADIUS = 32, (4, 28), 3  # two dots, 24 pixels apart
COLOURS = torch.tensor([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]])
ROWS = 64


def drawn(left: Tensor, right: Tensor) -> Tensor:
    """Draw images (N, 3, 32, 32) of two dots at some height, in the colours (N,) of `left` and of `right`."""
    at = torch.arange(SIDE)
    height = torch.randint(AT[0], AT[1] + 1, (len(left), 1, 1))
    image = torch.full((len(left), 3, SIDE, SIDE), -1.0)
    for x, colour in zip(AT, (left, right)):
        inside = (at[:, None] - height).square() + (at - x).square() <= RADIUS**2
        image = torch.where(inside[:, None], COLOURS[colour][:, :, None, None], image)
    return image


def dots(n: int) -> Tensor:
    """Draw images whose dots agree."""
    colour = torch.randint(len(COLOURS), (n,))
    return drawn(colour, colour)


def agreement(image: Tensor) -> float:
    """The share of images whose dots, left and right, are the same colour: red or blue, whichever there is more of."""
    sides = [image[..., :8], image[..., -8:]]
    red = [(side[:, 0] - side[:, 2]).sum((1, 2)) > 0 for side in sides]
    return float((red[0] == red[1]).float().mean())


def trained(seed: int, attention: int, steps: int) -> Any:
    """Train SAGAN against a D whose convolutions see 16 pixels."""
    seed_all("dots", seed)
    gan: Any = make("sagan", DataSpec(3, SIDE, SIDE), labels=False, width=8, z_dim=16, taper=True, attention=attention)
    trunk = resnet_gan.trunk(gan.spec, [32, 64], 2, gan.attended)
    gan.D = gan.projecting(trunk, 64).apply(resnet_gan.glorot)
    spectral.normalise(gan.D)
    players = gan.players()
    for player in players.values():
        player.param_groups[0].update(lr=1e-3, betas=(0.0, 0.99))
    for step in range(steps):
        seed_all("step", seed, step)
        image = dots(ROWS)
        play_step(gan, players, [gan.data(image, torch.full((ROWS,), -1))], Clock(step, step * ROWS, steps * ROWS))
    return gan.eval()


def test_what_counts_as_agreement() -> None:
    seed_all("real")
    real = dots(200)
    assert agreement(real) == 1
    mixed = torch.cat([real[..., :16], real.roll(1, 0)[..., 16:]], 3)
    assert agreement(mixed) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("attention", [0, 16])
def test_only_attention_tells_whether_dots_agree(attention: int) -> None:
    """Without it, D adds up what it sees here and there: logits of pairs that agree add up to those that do not."""
    gan = trained(0, attention, 0)
    if attention:
        gan.D.trunk[1].gamma.data.fill_(1)
    images = []
    for left, right in ((0, 0), (1, 1), (0, 1), (1, 0)):
        seed_all("height")
        images.append(drawn(torch.tensor([left]), torch.tensor([right])))
    with torch.no_grad():
        logits = gan.D(torch.cat(images), torch.zeros(4, 0))
    together = float(logits[0] + logits[1] - logits[2] - logits[3])
    assert (abs(together) > 1e-4) == bool(attention)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_distant_dots_agree_with_attention_and_not_without(seed: int) -> None:
    for attention in (16, 0):
        gan = trained(seed, attention, 1500)
        seed_all("draw", seed)
        with torch.no_grad():
            found = agreement(gan.generate(gan.prior(400)))
        assert (found >= 0.9) == bool(attention), found
