"""Images with labels, all of them or a few."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Request
from gancli.data.sources.decode import Pictures
from gancli.data.sources.open import open_source
from gancli.data.spec import DataSpec
from gancli.errors import UserError

MOST_HELD_OUT = (
    1000  # rows on which the accuracy of a classifier is measured; a tenth of the labelled rows if that is less
)


@dataclass
class Labelled(Batch):
    """Images, each with its label."""

    needs: ClassVar[str] = "images with labels"

    image: Tensor  # (N, C, H, W)
    label: Tensor  # (N,) int64, an index into DataSpec.classes

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read the labelled images of a source and skip the others; raise UserError if none has a label."""
        pictures, labels = _open(request)
        known = torch.nonzero(labels >= 0).flatten()
        note = f"{len(pictures.classes)} classes: {_listed(pictures.classes)}"
        left_out = [f"{len(labels) - len(known):,} images without a label left out"] if len(known) < len(labels) else []
        columns = {"image": torch.from_numpy(pictures.pixels), "label": labels}
        notes, rows = (*pictures.notes, note, *left_out), dict.fromkeys(columns, known)
        return Dataset(pictures.name, _spec(pictures), cls, columns, notes, rows=rows, content=pictures.digest)


@dataclass
class PartlyLabelled(Batch):
    """All images, and the same number of examples whose label is known."""

    needs: ClassVar[str] = "images, a few with labels"

    image: Tensor  # (N, C, H, W)
    example: Tensor  # (N, C, H, W); few examples are repeated often
    label: Tensor  # (N,) int64, of the example

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read the images of a source with every label that it has; raise UserError if it has none."""
        pictures, labels = _open(request)
        images, known = torch.from_numpy(pictures.pixels), torch.nonzero(labels >= 0).flatten()
        columns = {"image": images, "example": images, "label": labels}
        rows = {"image": torch.arange(len(images)), "example": known, "label": known}
        notes = pictures.notes
        return Dataset(pictures.name, _spec(pictures), cls, columns, notes, rows=rows, content=pictures.digest)


def hold_out(dataset: Dataset) -> Dataset:
    """Hold some labelled rows out of training, in every column, to measure the accuracy of a classifier on them.

    They are the same for every run on the same data, and chosen at random: data are often sorted by class.
    """
    mixed = _shuffled(dataset.rows["label"])
    out = mixed[: min(MOST_HELD_OUT, len(mixed) // 10)]
    if not len(out):
        return dataset
    hidden = torch.zeros(len(dataset.columns["image"]), dtype=torch.bool)
    hidden[out] = True
    rows = {name: used[~hidden[used]] for name, used in dataset.rows.items()}
    columns = {name: dataset.columns[name] for name in ("image", "label")}
    held_out = Dataset(dataset.name, dataset.spec, Labelled, columns, rows=dict.fromkeys(columns, out))
    note = f"{len(out):,} labelled images held out to measure accuracy"
    return dataclasses.replace(dataset, rows=rows, notes=(*dataset.notes, note), held_out=held_out)


def show_labels(dataset: Dataset[PartlyLabelled], per_class: int) -> Dataset[PartlyLabelled]:
    """Hide all labels except `per_class` of each class; 0 hides none. The images stay in the data."""
    known = dataset.rows["label"]
    if per_class:
        mixed = _shuffled(known)
        labels = dataset.columns["label"][mixed]
        known = torch.cat([mixed[labels == k][:per_class] for k in range(len(dataset.spec.classes))])
        known = _shuffled(known)  # so that classes alternate
    note = f"{len(known):,} labels used, {len(dataset):,} images in all"
    rows = dataset.rows | {"example": known, "label": known}
    return dataclasses.replace(dataset, rows=rows, notes=(*dataset.notes, note))


def _open(request: Request) -> tuple[Pictures, Tensor]:
    pictures = open_source(request)
    labels = torch.from_numpy(pictures.labels).long()
    if len(pictures.classes) < 2 or not (labels >= 0).any():
        raise UserError(
            f"--data {request.data} has no labels of two or more classes: give a folder with one sub-folder per class, "
            "idx or npz files with labels, or a data set by name"
        )
    return pictures, labels


def _spec(pictures: Pictures) -> DataSpec:
    channels, height, width = pictures.images.shape[1:]
    return DataSpec(channels, height, width, pictures.classes)


def _listed(classes: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(classes[:most]) + (" …" if len(classes) > most else "")


def _shuffled(rows: Tensor) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(len(rows)))]
