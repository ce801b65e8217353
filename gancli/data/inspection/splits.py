"""The parts of a source that its folders name: splits (train, test …) and domains (A, B)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

TRAIN = "train"
SPLITS = {"train": TRAIN, "training": TRAIN, "val": "val", "valid": "val", "validation": "val"}
SPLITS |= {"test": "test", "testing": "test"}
TOP = re.compile(rf"({'|'.join(SPLITS)})?([AB]?)")


class Place(NamedTuple):
    """Where in a source an image belongs; "" if the source has no such parts."""

    split: str
    domain: str
    label: str  # the class

    @property
    def trains(self) -> bool:
        """Whether training would use an image there: in the training split, or in a source without splits."""
        return self.split in ("", TRAIN)


def places(names: Sequence[str], labels: Sequence[str]) -> list[Place]:
    """Return the place of each image by its path: trainA/x.png, train/cat/x.png, A/x.png, …

    `labels` are the classes that training sees: the top folders, unless these are splits or domains.
    """
    tops = [name.split("/")[:-1] for name in names]
    splits, domains = _splits(tops), _domains(tops)
    if not splits and not domains:
        return [Place("", "", label) for label in labels]
    return [
        Place(splits.get(top[0], ""), domains.get(tuple(top[:2]), ""), "" if domains or len(top) < 2 else top[1])
        for top in tops
    ]


def _splits(tops: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the split of each top folder, if every one is named after a split, and one of several is for training."""
    firsts = {top[0] if top else "" for top in tops}
    found = {first: SPLITS.get(match[1] or "", "") for first in firsts if (match := TOP.fullmatch(first))}
    names = set(found.values())
    return found if len(found) == len(firsts) and "" not in names and TRAIN in names and len(names) > 1 else {}


def _domains(tops: Sequence[Sequence[str]]) -> dict[tuple[str, ...], str]:
    """Return the domain of each folder, if every image is in one of A and B, trainA and trainB, train/A and train/B."""
    found = {tuple(top[:2]): _domain(top) for top in tops}
    return found if found and all(found.values()) and len(set(found.values())) == 2 else {}


def _domain(top: Sequence[str]) -> str:
    match = TOP.fullmatch(top[0]) if top else None
    if match is None:
        return ""
    return match[2] or (top[1] if len(top) > 1 and top[1] in ("A", "B") else "")
