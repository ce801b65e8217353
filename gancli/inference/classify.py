"""Classify images with models that have a classifier head."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gancli.capabilities import Classifies
from gancli.checkpoints.find import find_model, only_published
from gancli.checkpoints.load import load_model
from gancli.data.sources.decode import Item
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.inference.user_images import pictures_in, read_image
from gancli.system.devices import choose_device
from gancli.system.untrusted import terminal
from gancli.system.untrusted.door import why

PART = 64  # images at a time
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # characters that start a formula in a spreadsheet


class Prediction(NamedTuple):
    """The predicted class of an image."""

    file: str
    of_class: str
    probability: float


def classify(name: str, paths: Sequence[Path], device: str, *, best: bool = False) -> list[Prediction]:
    """Return the most likely class of every image; skip unreadable files with a warning on stderr.

    Raise UserError if the model has no classifier head, or if no image can be read.
    """
    if only_published(name):  # before it is downloaded
        raise UserError(f"{name} has no classifier head: `classify` needs a model that has one")
    model = find_model(name, best=best)
    gan = load_model(model)
    if not (isinstance(gan, Classifies) and gan.classes):
        raise UserError(f"{model.about.variant} has no classifier head: `classify` needs a model that has one")
    gan.to(choose_device(device))
    items = [item for path in paths for item in pictures_in(path)]
    found = [named for part in _parts(items) for named in _name(gan, model.about.spec, part)]
    if not found:
        raise UserError(f"none of the {len(items)} images can be read")
    return found


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[i : i + PART] for i in range(0, len(items), PART))


@torch.inference_mode()
def _name(gan: Any, spec: DataSpec, items: Sequence[Item]) -> list[Prediction]:
    read = [(item.name, image) for item in items if (image := _tried(item, spec)) is not None]
    if not read:
        return []
    names, images = zip(*read)
    top = gan.classify(torch.stack(images).to(gan.device)).float().softmax(1).max(1)
    return [
        Prediction(name, gan.classes[label], probability)
        for name, label, probability in zip(names, top.indices.tolist(), top.values.tolist())
    ]


def _tried(item: Item, spec: DataSpec) -> Tensor | None:
    try:
        return read_image(item, spec)
    except UserError as error:
        terminal.warn(f"skipped {item.name}: {why(error)}")
        return None


def to_csv(found: Sequence[Prediction]) -> str:
    """Format the predictions as CSV: file, class, probability."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "class", "probability"])
    rows.writerows((_cell(name), _cell(of_class), f"{probability:.6f}") for name, of_class, probability in found)
    return text.getvalue()


def _cell(text: str) -> str:
    """Escape a cell so that spreadsheets read it as text, not as a formula (OWASP, "CSV injection")."""
    return terminal.line(f"'{text}" if text.startswith(FORMULA) else text)
