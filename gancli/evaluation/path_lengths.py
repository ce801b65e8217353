"""Perceptual path lengths of a model that samples: in z, and in w if it has styles (Karras et al. 2019, section 4.1).

LPIPS, the authors' distance, needs weights that are not published in a form that can be read safely, so distances are
those of the evaluation's own extractor: lengths compare models under one extractor, and not with published figures.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gancli.capabilities import Appends, Classes, Styled
from gancli.evaluation.extractors.extractor import Extractor
from gancli.evaluation.image_sets import DRAWN
from gancli.gan import GAN
from gancli.images.pixels import grey_to_colour, to_levels
from gancli.metrics import ppl
from gancli.system import dist
from gancli.system.progress import Tell
from gancli.system.seeds import aside

Shown = Callable[[Tensor], Tensor]  # the images at places (N,) on N paths

PROTOCOL = {"step": ppl.EPSILON, "trimmed": ppl.TRIMMED, "distance": "squared, of the extractor's features"}


@torch.no_grad()
def path_lengths(gan: GAN[Any], extractor: Extractor, name: str, count: int, seed: int, tell: Tell) -> dict[str, float]:
    """Return the lengths of `count` paths between latents of the prior, along them (full) and where they begin (end).

    Both ends of a path have the same class. Processes share the paths.
    """
    found: dict[int, dict[str, Tensor]] = {}
    for place, first in enumerate(range(0, count, DRAWN)):
        if place % dist.world() == dist.rank() % dist.world():
            with aside("ppl", seed, first):
                found[place] = _speeds(gan, extractor, min(DRAWN, count - first))
            tell(name, min(first + DRAWN, count), count)
    parts = {place: speeds for part in dist.gathered(found) for place, speeds in part.items()}
    return {key: ppl.path_length(torch.cat([parts[place][key] for place in sorted(parts)])) for key in parts[0]}


def _speeds(gan: Any, extractor: Extractor, n: int) -> dict[str, Tensor]:
    a, b = gan.prior(DRAWN)[:n], gan.prior(DRAWN)[:n]  # the latents of a path do not depend on how many there are
    along = torch.rand(DRAWN)[:n].double() * (1 - ppl.EPSILON)
    if _has_classes(gan):
        b = gan.of_class(b, gan.label_of(a))
    spaces: dict[str, Shown] = {"z": lambda t: gan.generate(_between(gan, a, b, t))}
    if isinstance(gan, Styled):
        spaces["w"] = lambda t: gan.synthesise(ppl.on_lines(gan.styles(a), gan.styles(b), t))
    return {
        f"ppl_{space}_{where}": _speed(extractor, images, t)
        for space, images in spaces.items()
        for where, t in (("full", along), ("end", torch.zeros_like(along)))
    }


def _has_classes(gan: Any) -> bool:
    return isinstance(gan, Classes) and bool(gan.classes)


def _speed(extractor: Extractor, images: Shown, t: Tensor) -> Tensor:
    return ppl.speeds(_features(extractor, images(t)), _features(extractor, images(t + ppl.EPSILON)))


def _between(gan: Any, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the places t (N,) on arcs in noise, and on straight lines in what is appended to it."""
    axes = gan.noise_axes if isinstance(gan, Appends) else a.shape[1]
    arcs, lines = ppl.on_arcs(a[:, :axes], b[:, :axes], t), ppl.on_lines(a[:, axes:], b[:, axes:], t)
    return torch.cat([arcs, lines], 1)


def _features(extractor: Extractor, images: Tensor) -> Tensor:
    """Extract features of images that are not rounded: a step changes values by less than a level."""
    levels = grey_to_colour(to_levels(images))
    return torch.cat([extractor(part)[0] for part in levels.split(extractor.batch)]).cpu()
