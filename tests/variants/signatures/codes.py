"""Signatures of variants with an encoder: the distribution of codes, their classes, and reconstructions."""

from typing import Any

import torch

from tests.variants.signatures.table import Table
from tests.variants.training import held_out, purity, rows_of, train, without

table = Table()


CODES: dict[str, Any] = {"width": 128, "lr": 1e-3}


@table.signature(
    "aae", "distance of the codes from N(0, 1) (Kolmogorov-Smirnov)", "E is not trained against D", 0.25, least=False
)
def distance_to_prior(seed: int, control: bool) -> float:
    gan, feed, _ = train("aae", "digits", 400, seed, without("E") if control else None, **CODES)
    code = gan.encode(feed.first(1000).image).sort(0).values
    below = torch.special.ndtr(code)
    return float((below - (torch.arange(len(code))[:, None] + 0.5) / len(code)).abs().max())


@table.signature(
    "aae-labels", "share of digits whose code is in the region of their class", "E is not trained against D", 0.3
)
def on_its_petal(seed: int, control: bool) -> float:
    gan, _, _ = train("aae-labels", "digits", 400, seed, without("E") if control else None, **CODES)
    real = rows_of("digits")
    return float((gan.label_of(gan.encode(real.image)) == real.label).float().mean())


@table.signature("aae-semi", "accuracy with ten labels per class", "no supervised phase", 0.5)
def semi(seed: int, control: bool) -> float:
    gan, feed, _ = train("aae-semi", "digits", 400, seed, without("C") if control else None, **CODES)
    return held_out(gan, feed)


@table.signature("aae-cluster", "purity of the clusters on digits", "E is not trained against D", 0.43)
def clustered(seed: int, control: bool) -> float:
    return purity(
        train("aae-cluster", "digits", 500, seed, without("E") if control else None, **CODES)[0], rows_of("digits")
    )


@table.signature(
    "bigan", "distance of x from G(E(x)), divided by that of another image", "D does not see z", 0.85, least=False
)
def inversion(seed: int, control: bool) -> float:
    def blind(gan: Any) -> None:
        judge = gan.D.forward
        gan.D.forward = lambda x, z: judge(x, torch.zeros_like(z))

    options: dict[str, Any] = {"width": 128, "z_dim": 8, "lr": 5e-4, "kimg": 50}
    gan, feed, _ = train("bigan", "digits", 800, seed, blind if control else None, **options)
    x = feed.first(512).image
    again = gan.generate(gan.encode(x))
    right, wrong = ((x - y).flatten(1).norm(dim=1).mean() for y in (again, again.roll(1, 0)))
    return float(right / wrong)


@table.signature(
    "vae",
    "squared error of reconstructions, divided by that of the mean image",
    "G does not see the code",
    0.5,
    least=False,
)
def reconstruction(seed: int, control: bool) -> float:
    def hide(gan: Any) -> None:
        draw = gan.G.forward
        gan.G.forward = lambda z: draw(torch.zeros_like(z))

    gan, feed, _ = train("vae", "digits", 300, seed, hide if control else None, width=128)
    x = feed.first(1000).image
    again = gan.generate(torch.zeros(len(x), 20)) if control else gan.generate(gan.encode(x))
    return float((again - x).square().mean() / (x.mean(0) - x).square().mean())
