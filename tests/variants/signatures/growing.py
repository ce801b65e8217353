"""What networks that grow and are steered by styles are known by: no jump when a level is added; styles by layer."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gancli.data.synthetic import shapes
from gancli.engine.step import play_step
from gancli.evaluation.known_truth.shapes import read
from gancli.families.high_fidelity.growing import Stage
from gancli.gan import Clock
from gancli.images.pixels import to_bytes
from gancli.metrics.features import Features
from gancli.metrics.fid import frechet
from gancli.system.seeds import seed_all
from tests.variants.signatures.table import Table, folder, noise
from tests.variants.training import small_shapes, train

table = Table()
STEPS, FEW = 400, 3  # before a level is added, and after it


@torch.no_grad()
def distance(gan: Any, feed: Any) -> float:
    """Frechet distance of pixels."""
    fake = gan.eval().generate(noise(0, 500, gan.hp.z_dim))
    return frechet(Features.of(fake.flatten(1)), Features.of(feed.first(500).image.flatten(1)))


@table.signature("progan", "jump of the distance when a level is added", "it does not fade in", 0.02, least=False)
def jump(seed: int, control: bool) -> float:
    batch = 32
    phase = STEPS * batch / 5  # at 4, 8 and 16 pixels; 32 would come next
    gan, feed, _ = train("progan", "shapes-easy", STEPS, seed, live=True, batch=batch, phase_kimg=phase / 1000)
    gan.requires_grad_(True)
    if control:
        plain = gan.stage
        gan.stage = lambda clock, before=0: Stage(plain(clock, before).level, 1.0)
    before, players = distance(gan, feed), gan.players()
    for step in range(STEPS, STEPS + FEW):
        seed_all("step", seed, step)
        gan.train()
        play_step(gan, players, [feed.at(step * batch)], Clock(step, step * batch, 10 * STEPS * batch))
    assert gan.G.grown() == 3
    return abs(distance(gan, feed) / before - 1)


@table.signature("stylegan", "agreement with the image of coarse and that of fine styles", "layers are shuffled", 0.8)
def by_layer(seed: int, control: bool) -> float:
    """Position and size from B, which gives styles up to 8 pixels a side, and colour from A, which gives the others."""
    gan = train("stylegan", small_shapes(folder(), "shapes", 12), 3000, seed, labels=False)[0]
    count, layers = 400, gan.style_layers
    with torch.no_grad():
        a, b = (gan.styles(noise(s, count, gan.hp.z_dim)) for s in (1, 2))
        coarse = torch.arange(layers) < 4
        if control:  # as many layers, chosen for each image
            coarse = torch.rand(count, layers, generator=torch.Generator().manual_seed(0)).argsort(1) < 4
        mixed = torch.where(coarse[..., None], b, a)
        of_a, of_b, of_mixed = (factors(gan.synthesise(w)) for w in (a, b, mixed))
    places = [float(np.corrcoef(of_mixed[name], of_b[name])[0, 1]) for name in ("x", "y", "size")]
    return min(*places, float((of_mixed["colour"] == of_a["colour"]).mean()))


def factors(images: Tensor) -> dict[str, Any]:
    return read(shapes.FULL, to_bytes(images).numpy())[0]
