"""What the units of a generator do where concepts are present, counted over many images.

The images are those of `gancli sample --seeds`. Concepts and activations are compared on a grid of at most `GRID`
points a side, with activations interpolated bilinearly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.capabilities import Samples
from gancli.evaluation.dissection.concepts import Concepts
from gancli.evaluation.dissection.layers import FeatureMaps, generated, recorded
from gancli.gan import GAN
from gancli.images.pixels import grey_to_colour, to_bytes
from gancli.metrics import dissection
from gancli.system.progress import Tell
from gancli.system.seeds import aside

GRID = 64
BATCH = 100  # images at a time; the candidates for thresholds are quantiles of the first batch
ACTIVATIONS = 2**22  # interpolated at a time


@dataclass
class Tally:
    """The counts of one layer, those of every other image apart."""

    layer: FeatureMaps
    # (U, K, T + 1), of even images, which choose the thresholds, and of odd ones, which score
    counts: tuple[Tensor, Tensor]
    sums: Tensor  # of activations on points of each label, (U, K)
    bounds: Tensor | None = None  # (U, T)
    peaks: list[Tensor] = field(default_factory=list)  # the largest activation of each image, (N, U)

    @classmethod
    def empty(cls, layer: FeatureMaps, labels: int, device: torch.device) -> "Tally":
        """Begin with no images."""
        counts = torch.zeros(layer.units, labels, dissection.THRESHOLDS + 1, dtype=torch.long, device=device)
        sums = torch.zeros(layer.units, labels, dtype=torch.float64, device=device)
        return cls(layer, (counts, counts.clone()), sums)

    def add(self, maps: Tensor, label: Tensor) -> None:
        """Count images (N, U, H, W) with labels (N, h, w); N is even, but for the last ones."""
        if self.bounds is None:
            self.bounds = dissection.thresholds(maps.transpose(0, 1).flatten(1))
        self.peaks.append(maps.amax((2, 3)).cpu())
        step = max(1, ACTIVATIONS // (maps.shape[1] * label[0].numel()))
        for half, counts in enumerate(self.counts):
            for part, marks in zip(maps[half::2].split(step), label[half::2].split(step)):
                values = interpolated(part, marks.shape[1:]).transpose(0, 1).flatten(1)
                counts += dissection.histogram(values, marks.flatten(), self.bounds, self.sums.shape[1])
                known = marks.flatten() >= 0
                self.sums.index_add_(1, marks.flatten()[known], values[:, known].double())

    def means(self, members: Tensor) -> Tensor:
        """Return the mean activation of each unit where each concept is present (U, C)."""
        points = torch.stack(self.counts)[:, 0].sum((0, 2)).double()
        return (self.sums @ members.double()) / (points @ members.double()).clamp(min=1)


@dataclass(frozen=True)
class Survey:
    """Images, the labels of their points, and the tally of each layer."""

    z: Tensor  # (N, Z)
    label: Tensor  # (N, h, w); -1: unknown
    tallies: list[Tally]

    @property
    def known(self) -> Tensor:
        """Return the images (M,) whose labels are known."""
        return (self.label >= 0).flatten(1).any(1).nonzero()[:, 0]

    def area(self, of_concept: Tensor) -> Tensor:
        """Return the share of each image (N,) that a concept, bool (K,), covers."""
        return (of_concept[self.label.clamp(min=0)] & (self.label >= 0)).flatten(1).double().mean(1)


def interpolated(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Interpolate feature maps to (N, U, *size)."""
    return maps if tuple(maps.shape[2:]) == tuple(size) else F.interpolate(maps, tuple(size), mode="bilinear")


def on_grid(label: Tensor) -> Tensor:
    """Take labels (N, H, W), or images' values, at the points of the grid."""
    scale = min(1.0, GRID / max(label.shape[1:]))
    size = [max(1, round(side * scale)) for side in label.shape[1:]]
    rows, columns = (((torch.arange(new) + 0.5) * old / new).long() for new, old in zip(size, label.shape[1:]))
    return label[:, rows.to(label.device)[:, None], columns.to(label.device)]


def to_shown(images: Tensor) -> Tensor:
    """Convert images in [-1, 1] to uint8 (N, 3, H, W)."""
    return grey_to_colour(to_bytes(images)).cpu()


def latents_of(gan: GAN[Any], seeds: Sequence[int]) -> Tensor:
    """Return the latents (N, Z) of seeds, as `gancli sample` takes them; the model must be on the CPU."""
    found = []
    for seed in seeds:
        with aside("latent", seed):
            found.append(cast(Samples, gan).prior(1))
    return torch.cat(found)


@torch.no_grad()
def survey(
    gan: GAN[Any], layers: list[FeatureMaps], concepts: Concepts, z: Tensor, seeds: Sequence[int], tell: Tell
) -> Survey:
    """Generate the images of latents, read their concepts, and count what the units of some layers do."""
    tallies = [Tally.empty(layer, len(concepts.members), gan.device) for layer in layers]
    labels = []
    for first in range(0, len(z), BATCH):
        with recorded(gan, layers) as maps:
            images = generated(gan, z[first : first + BATCH])
        label = on_grid(concepts.read(tuple(seeds[first : first + BATCH]), to_shown(images)))
        for tally in tallies:
            tally.add(maps[tally.layer.name], label.to(gan.device))
        labels.append(label)
        tell("dissect", min(first + BATCH, len(z)), len(z))
    return Survey(z, torch.cat(labels), tallies)
