"""What changes in the images when units are switched off, or on: Bau et al. 2019, section 3.2.

*Ablation* sets the units that match a concept best to 0. *Insertion* sets them, in a random patch of each image, to
their mean where the concept is present. Other units, chosen at random for each image, are the control. The authors also
optimise the set of units for its effect; here only IoU chooses it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gancli.evaluation.dissection.concepts import Concepts
from gancli.evaluation.dissection.layers import FeatureMaps, generated
from gancli.evaluation.dissection.survey import Survey, on_grid, to_shown
from gancli.gan import GAN
from gancli.system.seeds import aside

IMAGES = 50  # those with the most of the concept, for ablation; with the least, for insertion
SHARE = 20 / 512  # of a layer's units: the paper's

Change = Callable[[Tensor, Tensor], Tensor]  # feature maps (N, U, H, W), which units bool (N, U, 1, 1) -> feature maps


class Units(NamedTuple):
    """A concept's units (k,) in a layer, and the mean of every unit of the layer where it is present (U,)."""

    layer: FeatureMaps
    chosen: Tensor
    mean: Tensor


class Arms(NamedTuple):
    """Images, uint8 (N, 3, H, W): unchanged, with the concept's units changed, and with random units changed."""

    before: Tensor
    after: Tensor
    control: Tensor


@dataclass(frozen=True)
class Effect:
    """What the units of a concept do: the share of the images that it covers, or how much they change, by arm."""

    concept: str
    units: list[int]
    ablation: dict[str, float]
    insertion: dict[str, float]  # empty if changed images cannot be read
    shown: dict[str, Arms]


def how_many(units: int) -> int:
    """Return how many units of a layer are changed: the paper's share, at least one."""
    return max(1, round(units * SHARE))


@torch.no_grad()
def effect_of(gan: GAN[Any], seen: Survey, concepts: Concepts, concept: str, units: Units) -> Effect:
    """Ablate and insert the units of a concept."""
    of_concept = concepts.members[:, concepts.names.index(concept)]
    most, least = _chosen(seen, seen.area(of_concept))
    with aside("dissect", concept):
        ablated = _arms(gan, seen.z[most], units, ablate)
        inserted = _arms(gan, seen.z[least], units, inserting(units.mean, patches(len(least), units.layer)))
    shown = {"ablation": ablated, "insertion": inserted}
    area = concepts.area
    if area is None:
        inside = of_concept[seen.label[most].clamp(min=0)] & (seen.label[most] >= 0)
        return Effect(concept, units.chosen.tolist(), _differences(ablated, inside), {}, shown)
    off, on = ({name: float(area(concept, images).mean()) for name, images in arms._asdict().items()}
               for arms in (ablated, inserted))  # fmt: skip
    return Effect(concept, units.chosen.tolist(), off, on, shown)


def _chosen(seen: Survey, area: Tensor) -> tuple[Tensor, Tensor]:
    """Return the images with the most of a concept, of which it covers `area` (N,), and those with the least."""
    order = seen.known[area[seen.known].argsort(descending=True, stable=True)]
    most = order[:IMAGES]
    return most[area[most] > 0], order.flip(0)[:IMAGES]


def _arms(gan: GAN[Any], z: Tensor, units: Units, change: Change) -> Arms:
    which = torch.zeros(len(z), units.layer.units, dtype=torch.bool)
    which[:, units.chosen] = True
    images = [generated(gan, z)]
    for chosen in (which, others(which)):
        mask = chosen[:, :, None, None].to(gan.device)
        images.append(generated(gan, z, units.layer, lambda maps, mask=mask: change(maps, mask)))
    return Arms(*map(to_shown, images))


def others(which: Tensor) -> Tensor:
    """Choose as many other units for each image as are chosen in (N, U), at random; fewer if there are not so many."""
    count = min(int(which[0].sum()), int((~which[0]).sum()))
    order = torch.rand(which.shape).masked_fill(which, -1).argsort(1, descending=True)
    return torch.zeros_like(which).scatter(1, order[:, :count], True)


def ablate(maps: Tensor, units: Tensor) -> Tensor:
    """Set units to 0."""
    return maps.masked_fill(units, 0)


def inserting(mean: Tensor, where: Tensor) -> Change:
    """Return what sets units to their means (U,) at points (N, 1, H, W)."""

    def insert(maps: Tensor, units: Tensor) -> Tensor:
        value = mean.to(maps)[None, :, None, None]
        return torch.where(units & where.to(maps.device), value, maps)

    return insert


def patches(count: int, layer: FeatureMaps) -> Tensor:
    """Return a patch at a random place for each image, half as high and wide as its maps: bool (N, 1, H, W)."""
    inside = []
    for side in (layer.height, layer.width):
        size = max(1, side // 2)
        first = torch.randint(side - size + 1, (count, 1))
        at = torch.arange(side)
        inside.append((at >= first) & (at < first + size))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _differences(arms: Arms, inside: Tensor) -> dict[str, float]:
    """Return the mean change of pixels, in levels of 255, in a concept's masks (N, h, w) and outside them."""
    found = {}
    for name, images in (("after", arms.after), ("control", arms.control)):
        change = on_grid((images.double() - arms.before).abs().mean(1))
        found |= {f"{name}_inside": float(change[inside].mean()), f"{name}_outside": float(change[~inside].mean())}
    return found
