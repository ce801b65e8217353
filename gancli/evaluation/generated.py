"""The images that a model generates for its scores, and the real images that they are compared with."""

import dataclasses
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gancli.capabilities import Classes, Fills, Samples
from gancli.data.dataset import Dataset
from gancli.data.feed import Feed
from gancli.data.kinds.images import Images
from gancli.errors import UserError
from gancli.evaluation.image_sets import DRAWN, Arrays, GeneratedImages, reals_of
from gancli.gan import GAN
from gancli.system import dist
from gancli.system.seeds import seed_of

HALF = "the half that is not filled"


class Halves(NamedTuple):
    """Rows of the images whose holes are filled, and of those that the result is compared with."""

    filled: Tensor
    kept: Tensor


def halves(dataset: Dataset[Any]) -> Halves:
    """Split the images at random, the same way in every run; raise UserError if there are too few.

    A filled image keeps most of its pixels: compared with itself, the output of any model would look real.
    """
    rows = dataset.rows.get("image", torch.arange(len(dataset.columns["image"])))
    if len(rows) < 4:
        raise UserError(f"{dataset.name} has {len(rows)} images: scores of filled holes need at least four")
    mixed = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed_of("halves")))]
    filled, kept = mixed.tensor_split(2)
    return Halves(filled, kept)


def reference_of(gan: GAN[Any], dataset: Dataset[Any], split: str, n: int | None) -> Arrays:
    """Return the real images that a model should imitate; for one that fills holes, images that it does not fill."""
    if not isinstance(gan, Fills):
        return reals_of(dataset, split, n)
    column = dataset.columns["image"]
    kept = column[halves(dataset).kept.sort().values.to(column.device)]
    return Arrays(dataset.name, kept, f"{split} ({HALF})".strip(), n=n)


def generated_by(
    gan: GAN[Any], dataset: Dataset[Any], name: str, count: int, seed: int, known: str = ""
) -> GeneratedImages:
    """Return the images that a model generates for the batches of a data set; if it fills holes, for half of them."""
    if isinstance(gan, Fills):
        image, rows = {"image": dataset.columns["image"]}, {"image": halves(dataset).filled}
        dataset = dataclasses.replace(dataset, kind=Images, columns=image, rows=rows, make=None)
    feed = Feed(dataset, DRAWN, seed, gan.device)
    return GeneratedImages(name, lambda first: gan.fakes(feed.at(first)), count, seed, known)


def generated_by_class(
    gan: GAN[Any], dataset: Dataset[Any], name: str, count: int, seed: int, known: str = ""
) -> GeneratedImages:
    """Return images that a model generates for the labels of a data set; raise UserError if it has other classes."""
    if not (isinstance(gan, Samples) and isinstance(gan, Classes) and gan.classes) or "label" not in dataset.columns:
        raise UserError(f"--metrics fid-per-class: {name} does not generate images of a chosen class: leave it out")
    if gan.classes != dataset.spec.classes:
        raise UserError(
            f"--metrics fid-per-class: {name} generates the classes {', '.join(gan.classes)}; "
            f"{dataset.name} has {', '.join(dataset.spec.classes)}: give data with the same classes"
        )
    feed = Feed(dataset, DRAWN, seed, gan.device)

    def draw(first: int) -> Tensor:
        label = feed.at(first).label
        return gan.generate(gan.of_class(gan.prior(len(label)), label))

    with dist.alone():
        labels = torch.cat([feed.at(first).label.cpu() for first in range(0, count, DRAWN)])[:count]
    return GeneratedImages(name, draw, count, seed, known, labels, classes=gan.classes)
