"""What every importer shares: the tensors of a file, and what they become."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.errors import UserError

State = dict[str, Tensor]


@dataclass(frozen=True)
class Converted:
    """A model of gancli's: its variant, its hyperparameters, its images, and the tensors of its networks by name."""

    variant: str
    hparams: Mapping[str, Any]
    spec: DataSpec
    tensors: State  # with the network's name in front: G.conv_first.weight


@dataclass(frozen=True)
class Asked:
    """What a user says of a file that the file itself does not."""

    name: str  # of the model, which may tell its domains
    size: tuple[int, int] | None = None  # height and width
    doublings: int | None = None  # how often the size doubles
    classes: tuple[str, ...] = ()  # names of the classes, in the order of the labels
    labels: int | None = None  # of a map of labels
    file: Path | None = None  # beside which another may lie that says more


class Importer(Protocol):
    """A module that reads the weights of one code base."""

    @property
    def KNOWN_BY(self) -> str:  # noqa: N802
        """Name the code base and the tensors that tell it, in a phrase."""
        ...

    @staticmethod
    def detect(tensors: State) -> bool:
        """Tell from names and shapes whether the tensors are of this code base."""
        ...

    @staticmethod
    def convert(tensors: State, asked: Asked) -> Converted:
        """Convert; KeyError, IndexError and ValueError say that something is missing or does not fit."""
        ...


def renamed(tensors: State, patterns: Iterable[tuple[str, str]], prefix: str = "G.") -> State:
    """Rename tensors by the first pattern that matches the whole name; raise KeyError for a name that none matches."""
    table = [(re.compile(pattern), name) for pattern, name in patterns]
    found: State = {}
    for old, tensor in tensors.items():
        match, name = next(((m, name) for pattern, name in table if (m := pattern.fullmatch(old))), (None, ""))
        if match is None:
            raise KeyError(f"a place for {old}")
        found[prefix + match.expand(name)] = tensor
    return found


def count(tensors: State, pattern: str) -> int:
    """Count the different numbers that the first group of a pattern matches in the names."""
    return len({match[1] for name in tensors if (match := re.match(pattern, name))})


def without(tensors: State, *endings: str) -> State:
    """Leave out the tensors whose names end so."""
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(endings)}


def has_edges(planes: int, asked: Asked) -> bool:
    """Tell whether the last plane of a map of labels is the edges of instances, as it is unless the user says else."""
    if asked.labels not in (None, planes, planes - 1):
        said = f"give {planes - 1} if one of them is the edges of instances, or {planes}"
        raise UserError(f"--labels {asked.labels}: the file has {planes} planes: {said}")
    return asked.labels != planes
