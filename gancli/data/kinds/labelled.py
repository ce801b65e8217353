"""Images with labels, all of them or a few."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from gancli.data.dataset import Batch, Dataset
from gancli.data.kinds.images import Images
from gancli.data.request import Request
from gancli.data.sources.decode import Pictures
from gancli.data.sources.open import open_source
from gancli.data.spec import DataSpec
from gancli.errors import UserError

UNKNOWN = -1  # in place of a label
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
        columns = {"image": torch.from_numpy(pictures.pixels), "label": labels}
        notes = (*pictures.notes, *_notes(pictures.classes, len(labels) - len(known)))
        rows = dict.fromkeys(columns, known)
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


@dataclass
class OptionallyLabelled(Images):
    """Images with the labels that the source has, which may be none."""

    needs: ClassVar[str] = "images, with or without labels"

    label: Tensor  # (N,) int64, an index into DataSpec.classes, or UNKNOWN

    @classmethod
    def open(cls, request: Request) -> "Dataset[Self]":
        """Read the images of a source with every label that it has; with fewer than two classes there are none."""
        pictures = open_source(request)
        columns = cls.columns_of(torch.from_numpy(pictures.images))
        spec = _spec(pictures)
        if pictures.labelled:
            columns["label"] = torch.from_numpy(pictures.labels).long()
        else:
            spec = dataclasses.replace(spec, classes=())
        return Dataset(pictures.name, spec, cls, columns, pictures.notes, content=pictures.digest)

    @classmethod
    def columns_of(cls, images: Tensor) -> dict[str, Tensor]:
        """Return the columns of images whose labels are unknown."""
        return {"image": images, "label": torch.full((len(images),), UNKNOWN)}


def without_labels(dataset: Dataset[OptionallyLabelled]) -> Dataset[OptionallyLabelled]:
    """Forget all labels and classes."""
    columns = dataset.kind.columns_of(dataset.columns["image"])
    return dataclasses.replace(dataset, spec=dataclasses.replace(dataset.spec, classes=()), columns=columns)


def only_labelled(dataset: Dataset[OptionallyLabelled]) -> Dataset[OptionallyLabelled]:
    """Leave out the images without a label, if the data have classes."""
    labels, classes = dataset.columns["label"], dataset.spec.classes
    if not classes:
        return dataset
    known = torch.nonzero(labels != UNKNOWN).flatten()
    notes = (*dataset.notes, *_notes(classes, len(labels) - len(known)))
    return dataclasses.replace(dataset, notes=notes, rows=dict.fromkeys(dataset.columns, known))


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
    if not pictures.labelled:
        raise UserError(
            f"--data {request.data} has no labels of two or more classes: give a folder with one sub-folder per class, "
            "idx or npz files with labels, or a data set by name"
        )
    return pictures, labels


def _notes(classes: tuple[str, ...], left_out: int) -> list[str]:
    note = f"{len(classes)} classes: {_listed(classes)}"
    return [note, *([f"{left_out:,} images without a label left out"] if left_out else [])]


def _spec(pictures: Pictures) -> DataSpec:
    channels, height, width = pictures.images.shape[1:]
    return DataSpec(channels, height, width, pictures.classes)


def _listed(classes: tuple[str, ...], most: int = 12) -> str:
    return ", ".join(classes[:most]) + (" …" if len(classes) > most else "")


def _shuffled(rows: Tensor) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(len(rows)))]
