"""Data sets that torchvision downloads, by name."""

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gancli.data.sources.decode import Item
from gancli.errors import UserError
from gancli.system import cache
from gancli.system.untrusted.terminal import warn


@dataclass(frozen=True)
class NamedData:
    """A class of torchvision.datasets, and its arguments for the train and test splits."""

    dataset: str
    train: dict[str, Any] = field(default_factory=lambda: {"train": True})
    test: dict[str, Any] = field(default_factory=lambda: {"train": False})


SPLIT = ({"split": "train"}, {"split": "test"})
NAMED = {
    "mnist": NamedData("MNIST"),
    "fashion-mnist": NamedData("FashionMNIST"),
    "kmnist": NamedData("KMNIST"),
    "emnist": NamedData("EMNIST", {"split": "balanced", "train": True}, {"split": "balanced", "train": False}),
    "usps": NamedData("USPS"),
    "cifar10": NamedData("CIFAR10"),
    "cifar100": NamedData("CIFAR100"),
    "stl10": NamedData("STL10", *SPLIT),
    "svhn": NamedData("SVHN", *SPLIT),
    "celeba": NamedData("CelebA", *SPLIT),
    "flowers102": NamedData("Flowers102", *SPLIT),
    "oxford-pets": NamedData("OxfordIIITPet", {"split": "trainval"}, {"split": "test"}),
    "food101": NamedData("Food101", *SPLIT),
}


def root() -> Path:
    """Return the folder of torchvision's data sets."""
    return cache.root() / "torchvision"


def open_named(name: str, split: str) -> tuple[list[Item], list[str]]:
    """Open a split of a data set, downloading it into the user's cache the first time.

    Raise UserError if it cannot be downloaded, with the folder to put it in.
    """
    from torchvision import datasets  # takes seconds to import

    known = NAMED[name]
    if split not in ("train", "test"):
        raise UserError(f"{name} has no split '{split}': give --split train or test")
    make = getattr(datasets, known.dataset)
    options = getattr(known, split)
    try:
        data = make(str(root()), download=False, **options)
    except (RuntimeError, OSError):
        data = _fetch(name, make, options)
    labels = next((getattr(data, a) for a in ("targets", "labels", "_labels") if hasattr(data, a)), [])
    marks = [int(label) for label in labels] if len(labels) == len(data) else [-1] * len(data)
    items = [Item(f"#{i}", mark, lambda i=i: data[i][0]) for i, mark in enumerate(marks)]
    return items, [str(c).replace("/", " ") for c in getattr(data, "classes", [])]


def _fetch(name: str, make: Any, options: dict[str, Any]) -> Any:
    warn(f"fetching {name} into {root()}")
    try:
        return make(str(root()), download=True, **options)
    except Exception as error:  # torchvision's downloaders raise anything: network, mirror, archive
        place = getattr(make, "base_folder", None) or f"{make.__name__}/raw"
        reason = textwrap.shorten(str(error), 200, placeholder=" …")  # torchvision lists every mirror
        raise UserError(
            f"{name} cannot be fetched from {_address(make)} ({reason}): put torchvision's files into {root() / place}"
        ) from None


def _address(make: type[Any]) -> str:
    """Return the first address that a class of torchvision holds; each has its own name for it."""
    held = [value for name, value in vars(make).items() if not name.startswith("__")]  # __doc__ has others
    found = re.search(r"https?://[^\s'\"]+", str(held))
    return found[0] if found else "Google Drive"  # CelebA holds only the names of its files there
