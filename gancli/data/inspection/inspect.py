"""Look at every image of a source as training reads it."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gancli.data.inspection import near
from gancli.data.inspection.copies import Copies, copies
from gancli.data.inspection.facts import Facts, Unreadable, examine
from gancli.data.inspection.faults import Fault, faults, of_copies
from gancli.data.inspection.splits import TRAIN, Place, places
from gancli.data.request import Request
from gancli.data.sources import builtin, folders
from gancli.data.sources.decode import AHEAD, Item, ordered
from gancli.data.sources.open import Listing, list_source
from gancli.errors import UserError
from gancli.images.reading import UNREADABLE, open_picture
from gancli.system.progress import Tell
from gancli.system.untrusted.names import expanded

MOST_OTHERS = 10_000  # files without an image's name that are looked into
NO_LIBRARY = "near-duplicates are not checked: pip install 'gancli[data]'"
NO_FILES = "rows of an array: no file names, formats or damage to check"


@dataclass(frozen=True)
class Inspection:
    """What was found in a source."""

    name: str
    items: list[Item]  # the source's own, then those of --test
    found: list[Facts | Unreadable]  # by item
    places: list[Place]  # by item
    own: int  # of the source; the other items are of --test
    ignored: int  # of its own, the last ones, which training does not read: their names are not those of images
    others: Counter[str]  # files that are no images, by file extension
    copies: Copies
    faults: list[Fault]
    unchecked: list[str]

    @property
    def training(self) -> list[Facts]:
        """The readable images that training would use."""
        mine = zip(self.found[: self.own - self.ignored], self.places)
        return [one for one, place in mine if isinstance(one, Facts) and place.trains]

    @property
    def unreadable(self) -> int:
        """The number of files that training would try to read, but cannot."""
        return sum(isinstance(one, Unreadable) for one in self.found[: self.own - self.ignored])

    def count(self, part: str) -> Counter[str]:
        """Count the readable images by a part of their place: split, domain or label; the label in training only."""
        mine = zip(self.found[: self.own - self.ignored], self.places)
        return Counter(
            getattr(place, part) for one, place in mine if isinstance(one, Facts) and (part == "split" or place.trains)
        )


def inspect(request: Request, test: str | None, tell: Tell) -> Inspection:
    """Read every image of a source, and of the test images to compare it with.

    Raise UserError if there are no images, or none that can be read.
    """
    listing = _list(request, request.split)
    tests = _list(dataclasses.replace(request, data=test), _split_of_test(request, test)).items if test else ()
    hidden, others = _hidden(listing, request.data)
    own = [*listing.items, *hidden]
    items = [*own, *(item._replace(name=f"{test}/{item.name}") for item in tests)]
    where = [*_places(own, listing.classes), *(Place("test", "", "") for _ in tests)]
    if test:  # splits within the source do not matter then
        where = [place if i >= len(own) else place._replace(split=TRAIN) for i, place in enumerate(where)]
    found = _examined(items, request, tell)
    readable = {i: one for i, one in enumerate(found) if isinstance(one, Facts)}
    if not any(i < len(listing.items) and where[i].trains for i in readable):
        raise UserError(f"none of the images of {request.data} that training would use can be read")
    same = copies(readable, where, lambda done, of: tell("comparing", done, of))
    wrong = faults(found, len(hidden), len(own))
    wrong += of_copies(same, [item.name for item in items], where, len(own))
    unchecked = [*([] if near.available() else [NO_LIBRARY]), *([NO_FILES] if _are_rows(found) else [])]
    return Inspection(listing.name, items, found, where, len(own), len(hidden), others, same, wrong, unchecked)


def _list(request: Request, split: str) -> Listing:
    if request.data in builtin.names():
        raise UserError(f"{request.data} is built in: there is nothing to check; give a folder, an archive or an .npz")
    return list_source(dataclasses.replace(request, split=split))


def _split_of_test(request: Request, test: str | None) -> str:
    """Return the split to read of the test source: MNIST's, for example, has both in one folder."""
    return "test" if test == request.data and request.split != "test" else request.split


def _hidden(listing: Listing, src: str) -> tuple[list[Item], Counter[str]]:
    """List the images of a folder that training does not read for their names, and count the other files."""
    if not isinstance(listing.items, folders.Files):
        return [], Counter()
    folder = expanded(src)
    names = folders.others_in(folder)
    hidden = [name for name in names[:MOST_OTHERS] if _is_image(folder / name)]
    classes = {name: i for i, name in enumerate(listing.classes)}
    labels = [classes.get(name.partition("/")[0], -1) for name in hidden]
    items = [Item(name, label, lambda name=name: open_picture(folder / name)) for name, label in zip(hidden, labels)]
    return items, Counter(Path(name).suffix.lower() for name in set(names) - set(hidden))


def _is_image(path: Path) -> bool:
    try:
        with open_picture(path):
            return True
    except UNREADABLE:
        return False


def _places(items: Sequence[Item], classes: Sequence[str]) -> list[Place]:
    labels = [classes[item.label] if 0 <= item.label < len(classes) else "" for item in items]
    return places([item.name for item in items], labels)


def _examined(items: Sequence[Item], request: Request, tell: Tell) -> list[Facts | Unreadable]:
    found: list[Facts | Unreadable] = []
    for one in ordered(examine, items, request.wanted.threads, AHEAD):
        found.append(one)
        tell("reading", len(found), len(items))
    return found


def _are_rows(found: Iterable[Facts | Unreadable]) -> bool:
    return not any(isinstance(one, Facts) and one.format for one in found)
