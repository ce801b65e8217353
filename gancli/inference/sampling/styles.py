"""The styles w of models that generate through them: which layers they steer, and truncation towards their mean."""

import math
import re
from typing import Any, cast

import torch
from torch import Tensor

from gancli.capabilities import Samples, Styled
from gancli.errors import UserError
from gancli.gan import GAN

TOWARDS_MEAN = "w towards its mean"
MOST_PSI = 2.0  # beyond 1 the distance from the mean grows
THIRDS = ("coarse", "middle", "fine")  # of the layers, in this order


def steers(kind: type[GAN[Any]]) -> bool:
    """Return whether models of a kind generate through styles; `issubclass` cannot tell, as L is a property."""
    return all(hasattr(kind, name) for name in ("style_layers", "styles", "mean_styles", "synthesise"))


def is_styled(gan: GAN[Any]) -> bool:
    """Return whether a model generates through styles."""
    return isinstance(gan, Styled)


def styled(gan: GAN[Any], option: str) -> Styled:
    """Return the model as one with styles; raise UserError if it has none."""
    if not is_styled(gan):
        raise UserError(f"{option}: {type(gan).__name__} has no styles, which only style models have; leave it out")
    return cast(Styled, gan)


def parse_layers(text: str | None, count: int) -> tuple[int, ...]:
    """Parse layers such as `coarse`, `4-7` or `0,2,5-6`; None stands for all; raise UserError for others."""
    if text is None:
        return tuple(range(count))
    if text in THIRDS:
        third = THIRDS.index(text)
        found = set(range(count * third // 3, count * (third + 1) // 3))
    else:
        found = {layer for part in text.split(",") for layer in _span(part)}
    if not found or not found <= set(range(count)):
        raise UserError(
            f"--layers {text}: this model has style layers 0 to {count - 1}: give numbers and ranges such as 0-1"
            + (f", or {', '.join(THIRDS)}" if count >= len(THIRDS) else "")
        )
    return tuple(sorted(found))


def _span(part: str) -> range:
    match = re.fullmatch(r"\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*", part)
    return range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(-1, 0)


@torch.inference_mode()
def styles_of(gan: GAN[Any], z: Tensor) -> Tensor:
    """Map each latent (N, Z) separately to its styles (N, L, W), for the same reason as in `draw`."""
    mapped = cast(Styled, gan).styles
    return torch.cat([mapped(row[None]).float() for row in z])


@torch.inference_mode()
def steered(gan: GAN[Any], z: Tensor, psi: float | None, layers: str | None = None) -> Tensor:
    """Return the styles (N, L, W) of latents (N, Z), moved towards their mean in some layers.

    Without truncation, and for a model that truncates in another way, return the latents.
    """
    if layers is not None and (psi is None or not truncates_styles(gan)):
        raise UserError(
            f"--layers {layers}: layers are chosen for --mix, for directions, or for a --truncation of styles; "
            "leave it out"
        )
    if psi is None or not truncates_styles(gan):
        return z
    kept = parse_layers(layers, cast(Styled, gan).style_layers)
    if psi == 1:
        return z
    w = styles_of(gan, z)
    mean = torch.cat([cast(Styled, gan).mean_styles(row[None]).float() for row in z])
    w[:, kept] = torch.lerp(mean[:, kept], w[:, kept], psi)
    return w


def truncates_styles(gan: GAN[Any]) -> bool:
    """Return whether truncation moves the styles of a model; it may have a way of its own."""
    return is_styled(gan) and not hasattr(gan, "truncated")


def check_psi(psi: float) -> None:
    """Raise UserError for a truncation of styles that is out of range."""
    if not (math.isfinite(psi) and 0 <= psi <= MOST_PSI):
        raise UserError(
            f"--truncation {psi} is not allowed: give psi, from 0 (the mean of w) to 1 (off), or up to {MOST_PSI:g}"
        )


def generated(gan: GAN[Any], latent: Tensor) -> Tensor:
    """Generate images (N, C, H, W) from latents (N, Z), or from styles (N, L, W)."""
    return cast(Styled, gan).synthesise(latent).float() if latent.dim() == 3 else cast(Samples, gan).generate(latent)
