"""Signatures of variants of two domains and of variants that fill holes."""

from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import functional as F

from gancli.ops import masks
from tests.variants.signatures.table import Table, folder, replaced
from tests.variants.training import TOY, small_shapes, train, two_domains

table = Table()


@table.signature("cogan", "correlation of the two images of a pair; the data contain no pairs", "no shared layers", 0.5)
def paired(seed: int, control: bool) -> float:
    options: dict[str, Any] = TOY | {"own_layers": 2 if control else 1}
    gan = train("cogan", two_domains(), 400, seed, **options)[0]
    with torch.no_grad():
        a, b = (x.flatten(1) for x in gan.pair(gan.prior(500)))
    a, b = a - a.mean(0), b - b.mean(0)
    return float(-F.cosine_similarity(a, b).mean())


def decibels(gan: Any, feed: Any) -> float:
    """Return the PSNR gain of filled holes over the mean colour of their surroundings."""
    image = feed.first(500).image
    mask = masks.centre(image)
    with torch.no_grad():
        filled = gan.fill(image, mask)
    better = (masks.blank(image, mask) - image).square().mean() / (filled - image).square().mean()
    return float(10 * better.log10())


@table.signature(
    "context-encoder",
    "PSNR gain of filled holes over the mean colour, in dB, on shapes",
    "G does not see the context",
    5.0,
)
def filled(seed: int, control: bool) -> float:
    def hide(gan: Any) -> None:
        gan.draw = lambda image, mask: type(gan).draw(gan, torch.zeros_like(image), mask)

    source = small_shapes(folder(), "shapes-easy", 12)
    gan, feed, _ = train("context-encoder", source, 200, seed, hide if control else None, width=16, batch=32)
    if control:
        hide(gan)
    return decibels(gan, feed)


@table.signature(
    "ccgan",
    "PSNR gain of filled holes over the mean colour, in dB, on shapes; without a pixel loss",
    "D sees fillings without their context",
    4.5,
)
def pasted(seed: int, control: bool) -> float:
    source = small_shapes(folder(), "shapes-easy", 12)
    with replaced(masks, "paste", lambda image, mask, filling: filling) if control else nullcontext():
        gan, feed, _ = train("ccgan", source, 800, seed, width=16, batch=32, lr=5e-4)
    return decibels(gan, feed)
