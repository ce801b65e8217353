"""Groups of images that are copies of each other: the same pixels, or nearly."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gancli.data.inspection.facts import Facts
from gancli.data.inspection.near import similar
from gancli.data.inspection.splits import Place
from gancli.data.request import Report


class Copies(NamedTuple):
    """Indices of images: those with the same pixels, and those that are nearly the same."""

    exact: list[list[int]]
    near: list[list[int]]  # one image of each exact group
    families: list[list[int]]  # everything that belongs together


def copies(facts: Mapping[int, Facts], places: Sequence[Place], report: Report | None = None) -> Copies:
    """Group the images of each domain: a translator's two domains may share an image."""
    equal: dict[object, list[int]] = {}
    for i, fact in facts.items():
        equal.setdefault((fact.pixels, places[i].domain), []).append(i)
    one_each = [group[0] for group in equal.values()]
    kept = [(i, small) for i in one_each if (small := facts[i].thumbnail) is not None]
    pairs = [(kept[a][0], kept[b][0]) for a, b in similar([small for _, small in kept], report)]
    near = connected((a, b) for a, b in pairs if places[a].domain == places[b].domain)
    members = {group[0]: group for group in equal.values()}
    families = [sorted(i for one in group for i in members.pop(one)) for group in near]
    exact = [group for group in equal.values() if len(group) > 1]
    return Copies(exact, near, [*families, *(group for group in members.values() if len(group) > 1)])


def connected(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the connected groups of a graph, sorted."""
    above: dict[int, int] = {}

    def root(i: int) -> int:
        while (up := above.setdefault(i, i)) != i:
            above[i] = above[up]
            i = above[i]
        return i

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        above[high] = low
    groups: dict[int, list[int]] = {}
    for i in sorted(above):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def leaking(group: Sequence[int], places: Sequence[Place]) -> bool:
    """Return whether images that are the same stand in several splits."""
    return len({places[i].split for i in group}) > 1


def duplicates(groups: Iterable[list[int]], places: Sequence[Place], own: int) -> Iterator[list[int]]:
    """Yield the groups of the first `own` images that are no leaks."""
    return (group for group in groups if group[0] < own and not leaking(group, places))
