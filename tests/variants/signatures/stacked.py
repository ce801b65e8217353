"""R3GAN's point: all modes of the data. 1,000 of them: one of ten glyphs in each of three channels.

After StackedMNIST (Srivastava et al. 2017, section 4.2), with shapes in place of digits, which need no classifier.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.data.synthetic import shapes
from gancli.ops import losses
from tests.variants.signatures.table import Table, noise
from tests.variants.training import train

table = Table()

SIDE, CHANNELS = 8, 3
NAMES = tuple(name for name in shapes.SHAPES if name not in ("square", "triangle"))  # those that differ most
GLYPHS = len(NAMES)
MODES = GLYPHS**CHANNELS
COUNT = 26_000  # samples that are read, as in PacGAN's protocol (Lin et al. 2018, section 4.2)


@cache
def glyphs() -> Tensor:
    """Render ten shapes in white (10, H, W), in [-1, 1]."""
    still = np.zeros(GLYPHS, np.float32)
    which = np.array([shapes.SHAPES.index(name) for name in NAMES])
    f = {"shape": which, "x": still, "y": still, "angle": still, "size": still + 1}
    return torch.from_numpy(shapes.coverage(f, SIDE)) * 2 - 1


def stacked(modes: Tensor) -> Tensor:
    """Draw images (N, 3, H, W) of modes (N,), numbers below 1,000 whose digits are the glyphs."""
    return glyphs()[torch.stack([modes // 100, modes // 10 % 10, modes % 10], 1)]


def modes_of(images: Tensor) -> Tensor:
    """Read the modes of those images that show one: each channel is nearer to a glyph than halfway to any other."""
    flat = glyphs().flatten(1)
    apart = torch.cdist(flat, flat).fill_diagonal_(torch.inf).min()
    distance, nearest = torch.cdist(images.flatten(2).flatten(0, 1), flat).view(len(images), CHANNELS, GLYPHS).min(2)
    mode = (nearest * torch.tensor([100, 10, 1])).sum(1)
    return mode[(distance < apart / 2).all(1)]


@torch.no_grad()
def found(gan: Any) -> Tensor:
    """Return how many samples show each mode (1000,)."""
    latents = noise(0, COUNT, gan.hp.z_dim).split(500)
    return torch.cat([modes_of(gan.generate(z)) for z in latents]).bincount(minlength=MODES)


def data() -> Dataset[OptionallyLabelled]:
    """Each mode once."""
    pixels = stacked(torch.arange(MODES)).add(1).mul(127.5).round().to(torch.uint8)
    return Dataset("stacked", DataSpec(CHANNELS, SIDE, SIDE), OptionallyLabelled, OptionallyLabelled.columns_of(pixels))


def plain(gan: Any) -> None:
    """Give both players DCGAN's losses, without a penalty."""
    loss = losses.NONSATURATING
    gan.d_terms = lambda real, fake, label: {"adversarial": loss.d(gan.logit(real, label), gan.logit(fake, label))}
    gan.g_terms = lambda fake, real, label: {"adversarial": loss.g(gan.logit(fake, label))}


OPTIONS: dict[str, Any] = {"batch": 32, "width": 64, "wide": 2, "patch": 1, "lr": 3e-3, "gamma": 0.3}


@table.signature("r3gan", "modes of stacked glyphs (of 1,000)", "the loss of gan, no penalties", 100)
def modes_of_stacked(seed: int, control: bool) -> float:
    gan = train("r3gan", data(), 2000, seed, plain if control else None, **OPTIONS)[0]
    return float((found(gan) > 0).sum())
