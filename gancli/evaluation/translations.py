"""The data to score a translator on: images of each domain, and their ground truth where it is known."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gancli.capabilities import Translates
from gancli.data.dataset import Batch, Dataset
from gancli.data.kinds.paired import Paired
from gancli.data.request import Request, Wanted
from gancli.data.synthetic.pairs import MAKERS
from gancli.evaluation.image_sets import DRAWN, chosen
from gancli.gan import GAN
from gancli.images.pixels import to_floats, to_pixels
from gancli.system.seeds import aside


@dataclass(frozen=True)
class Domains:
    """The images of two domains, uint8 (N, C, H, W); if `matched`, row i of one is the ground truth of row i."""

    name: str
    names: tuple[str, str]
    rows: tuple[Tensor, Tensor]
    matched: bool

    def way(self, direction: str) -> tuple[int, int]:
        """Return the indices of the source and target domains."""
        return (0, 1) if direction == "AB" else (1, 0)


def open_domains(
    gan: GAN[Any], kind: type[Batch], data: str, split: str, seed: int, skip_broken: bool = False
) -> Domains:
    """Read the domains that a model translates between, in the model's order; raise UserError for other data.

    If `kind` is Paired, the images are matched.
    """
    spec = gan.spec
    made = spec.domains[0] if spec.domains and spec.domains[0] in MAKERS else None
    wanted = Wanted((spec.height, spec.width), spec.channels, skip_broken=skip_broken)
    dataset = kind.open(Request(data, wanted, split, pairs=made if kind is Paired else None))
    first, second = zip(dataset.spec.domains, _rows(dataset, seed))
    if spec.domains == (second[0], first[0]):  # it was trained the other way round
        first, second = second, first
    return Domains(dataset.name, (first[0], second[0]), (first[1], second[1]), matched=kind is Paired)


def _rows(dataset: Dataset[Any], seed: int) -> tuple[Tensor, Tensor]:
    columns = list(dataset.columns.values())
    if dataset.make is None:
        return columns[0], columns[1]
    with aside("eval", seed):
        parts = [dataset.batch(index, torch.device("cpu")).source for index in torch.arange(len(dataset)).split(DRAWN)]
    pixels = [torch.from_numpy(to_pixels(part)).permute(0, 3, 1, 2) for part in parts]
    return torch.cat(pixels), columns[0]


@dataclass(frozen=True)
class Translation:
    """One direction of a model, applied to the images of a domain in order: the source of a `GeneratedImages`."""

    gan: Translates
    direction: str
    rows: Tensor
    device: torch.device

    @classmethod
    def of(cls, gan: Any, direction: str, rows: Tensor, n: int | None) -> "Translation":
        """Translate all rows, or a random choice of `n`."""
        return cls(gan, direction, rows[chosen(len(rows), n)], gan.device)

    def __call__(self, first: int) -> Tensor:
        """Translate the rows from `first` on."""
        rows = self.rows[first : first + DRAWN].to(self.device)
        return self.gan.translate(to_floats(rows), self.direction)
