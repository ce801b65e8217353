"""What networks that grow and are steered by styles are known by: no jump when a level is added; styles by layer."""

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.data.synthetic import shapes
from gancli.evaluation.known_truth.shapes import read
from gancli.families.high_fidelity.growing import Stage
from gancli.gan import Clock
from gancli.images.pixels import to_bytes
from gancli.metrics.features import Features
from gancli.metrics.fid import frechet
from tests.variants.signatures.table import Table, noise
from tests.variants.training import train

table = Table()
STEPS, BATCH = 400, 32


@torch.no_grad()
def distance(gan: Any, feed: Any) -> float:
    """Frechet distance of pixels."""
    fake = gan.eval().generate(noise(0, 500, gan.hp.z_dim))
    return frechet(Features.of(fake.flatten(1)), Features.of(feed.first(500).image.flatten(1)))


@table.signature("progan", "jump of the distance when a level is added", "it does not fade in", 0.02, least=False)
def jump(seed: int, control: bool) -> float:
    """No step is taken after it: at this learning rate, a step alone changes the distance by up to a third."""
    phase = STEPS * BATCH / 5  # at 4, 8 and 16 pixels; 32 would come next
    gan, feed, _ = train("progan", "shapes-easy", STEPS, seed, live=True, batch=BATCH, phase_kimg=phase / 1000)
    if control:
        plain = gan.stage
        gan.stage = lambda clock, before=0: Stage(plain(clock, before).level, 1.0)
    before = distance(gan, feed)
    gan.grow(Clock(STEPS, STEPS * BATCH, 10 * STEPS * BATCH))
    assert gan.G.grown() == 3
    return abs(distance(gan, feed) / before - 1)


COARSE = 4  # layers, of 4 and 8 pixels a side, of six
PLACE = ("x", "y")  # not the size: scales of fine layers swell what coarse ones drew
PLAIN = dataclasses.replace(
    shapes.FULL, colours={name: shapes.COLOURS[name] for name in ("red", "green", "blue")}, textures=("solid",),
    grounds={"black": (0, 0, 0)}, size=(0.4, 0.5), angle=(0, 0), offset=(-0.5, 0.5), pixels=16,
)  # fmt: skip


def plain_shapes(count: int = 8000) -> Dataset[OptionallyLabelled]:
    """Render shapes in three colours anywhere on black."""
    pixels = torch.from_numpy(shapes.render(PLAIN, shapes.factors(PLAIN, 7, np.arange(count))))
    return Dataset("plain", DataSpec(3, 16, 16), OptionallyLabelled, OptionallyLabelled.columns_of(pixels))


@cache
def steered(seed: int) -> Any:
    """Train a StyleGAN for both arms; styles are mixed as in the paper.

    It grows fast, so that coarse layers place the shape before there are others; and training is short, because nothing
    in the loss keeps some layers from taking over what others do: after 2,500 steps the colour was coarse too.
    """
    rates: dict[str, Any] = {"lr": 1e-2, "decay": 0.0}
    return train("stylegan", plain_shapes(), 1000, seed, labels=False, mixing=0.9, phase_kimg=4.8, **rates)[0]


@table.signature(
    "stylegan",
    "least of: correlation of x and of y with the image of coarse styles, agreement of colour with that of fine ones",
    "layers are shuffled",
    0.8,
)
def by_layer(seed: int, control: bool) -> float:
    """Coarse styles, up to 8 pixels a side, are B's, and those of 16 pixels A's; or as many, chosen for each image."""
    gan, count = steered(seed), 400
    coarse = (torch.arange(gan.style_layers) < COARSE).expand(count, -1)
    if control:
        coarse = torch.rand(coarse.shape, generator=torch.Generator().manual_seed(0)).argsort(1) < COARSE
    return min(kept_by(gan, coarse).values())


@torch.no_grad()
def kept_by(gan: Any, coarse: Tensor) -> dict[str, float]:
    """Return how far mixed images have B's place and A's colour, if B gives the styles of the layers (N, L)."""
    a, b = (gan.styles(noise(s, len(coarse), gan.hp.z_dim)) for s in (1, 2))
    of_a, of_b, of_mixed = (factors(gan.synthesise(w)) for w in (a, b, torch.where(coarse[..., None], b, a)))
    found = {name: float(np.corrcoef(of_mixed[name], of_b[name])[0, 1]) for name in PLACE}
    return found | {"colour": float((of_mixed["colour"] == of_a["colour"]).mean())}


def factors(images: Tensor) -> dict[str, Any]:
    """Read the factors of images."""
    return read(PLAIN, to_bytes(images).numpy())[0]
