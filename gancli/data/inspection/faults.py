"""What is wrong with single images, or with several that are the same."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from statistics import median
from typing import NamedTuple

from gancli.data.inspection.copies import Copies, duplicates, leaking
from gancli.data.inspection.facts import Facts, Unreadable
from gancli.data.inspection.splits import Place

KINDS = {  # by the name that scripts see, a heading for people
    "unreadable": "cannot be read",
    "misnamed": "wrong file extension",
    "one-colour": "a single colour",
    "animated": "several frames; training uses the first",
    "size": "far larger or smaller than the others",
    "shape": "far longer or squarer than the others",
    "duplicates": "same pixels",
    "near-duplicates": "nearly the same: saved again or rescaled",
    "leaks": "in several splits",
}
FAR_SIZE = 4.0  # times the typical side
FAR_SHAPE = 2.5  # times the typical ratio of the sides


class Fault(NamedTuple):
    """A file with a fault, or several files that are the same image."""

    kind: str  # of KINDS
    files: tuple[str, ...]
    why: str


def faults(found: Sequence[Facts | Unreadable], ignored: int, own: int) -> list[Fault]:
    """List the faults of the first `own` images, without copies; the last `ignored` of them have no image's name."""
    listed: list[Fault] = []
    read = [one for one in found[:own] if isinstance(one, Facts)]
    for i, one in enumerate(found[:own]):
        if isinstance(one, Unreadable):
            listed.append(Fault("unreadable", (one.name,), one.why))
        else:
            listed += _of_file(one, ignored=i >= own - ignored)
    return sorted([*listed, *_outliers(read)], key=lambda fault: [*KINDS].index(fault.kind))


def of_copies(found: Copies, names: Sequence[str], places: Sequence[Place], own: int) -> list[Fault]:
    """List the groups of images that are the same, and those that leak from one split into another."""

    def listed(kind: str, groups: Iterable[Sequence[int]], why: str) -> list[Fault]:
        return [Fault(kind, tuple(names[i] for i in group), why) for group in groups]

    leaks = [group for group in found.families if group[0] < own and leaking(group, places)]
    return [
        *listed("duplicates", duplicates(found.exact, places, own), "the same pixels"),
        *listed("near-duplicates", duplicates(found.near, places, own), "nearly the same pixels"),
        *listed("leaks", leaks, "the same image in several splits"),
    ]


def _of_file(one: Facts, *, ignored: bool) -> Iterator[Fault]:
    suffix = PurePosixPath(one.name).suffix
    if ignored:
        reads = f"{suffix} files" if suffix else "files without an extension"
        yield Fault("misnamed", (one.name,), f"is {one.format}, but training reads no {reads}")
    elif one.misnamed:
        yield Fault("misnamed", (one.name,), f"is {one.format}")
    if one.plain:
        yield Fault("one-colour", (one.name,), "all pixels have one colour")
    if one.animated:
        yield Fault("animated", (one.name,), f"{one.format} of several frames")


def _outliers(read: Sequence[Facts]) -> Iterator[Fault]:
    """Yield the images whose size or shape is far from what is typical."""
    if not read:
        return
    side = median(_side(one) for one in read)
    typical = median(one.elongation for one in read)
    for one in read:
        height, width = one.size
        if _far(_side(one), side, FAR_SIZE):
            yield Fault("size", (one.name,), f"{width}x{height}, the others about {round(side)} pixels a side")
        if _far(one.elongation, typical, FAR_SHAPE):
            kept = min(one.elongation / typical, typical / one.elongation)
            yield Fault("shape", (one.name,), f"{width}x{height}: about {kept:.0%} is left after cropping")


def _side(one: Facts) -> float:
    return (one.size[0] * one.size[1]) ** 0.5


def _far(value: float, typical: float, times: float) -> bool:
    return not typical / times <= value <= typical * times
