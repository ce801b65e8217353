"""Decode images from any source once: files of any image mode become rows of one uint8 array."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gancli.data.request import Report, Wanted
from gancli.data.sources.treatment import Look, described, is_grey, look_at
from gancli.data.spec import halvings
from gancli.errors import UserError
from gancli.images.reading import UNREADABLE, to_array
from gancli.images.sizes import LARGEST_COMMON, Size
from gancli.system import cache, cache_room
from gancli.system.untrusted.door import held_to, printable, reason

T = TypeVar("T")
Shape = tuple[int, int, int]  # channels, height, width

LARGEST_DEFAULT = 64  # pixels: the size of DCGAN's paper; mixed or larger images need --size for more
AHEAD, AHEAD_BYTES = 256, 64 * 2**20  # most images, and bytes of them, that are decoded ahead of writing
TOLERATED = 0.01  # share of unreadable files that only causes a warning; more is an error
IMAGES, LABELS = "images.bin", "labels.bin"  # files of a cache entry: plain rows, with no header that could be wrong
LABEL = np.dtype("<i8")
NOTES = 2  # the version of the notes in a cache entry


class Item(NamedTuple):
    """An image that can be opened."""

    name: str
    label: int  # -1 for none
    open: Callable[[], Image.Image]


@dataclass(frozen=True)
class Pictures:
    """Decoded images: uint8 (N, C, H, W), memory-mapped from the cache, with notes about them.

    Points are float32 (N, 2, 1, 1) and never scaled.
    """

    name: str
    images: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64]  # (N,), -1 for none
    classes: tuple[str, ...]
    content: str  # a hash of the images, computed when they were decoded
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A sha256 of images, labels and class names; names of files and folders do not count."""
        said = sha256(repr((self.images.shape, self.classes, self.content)).encode(errors="backslashreplace"))
        said.update(self.labels.astype("<i8").tobytes())
        return said.hexdigest()

    @property
    def labelled(self) -> bool:
        """Whether there are labels of two or more classes."""
        return len(self.classes) > 1 and bool((self.labels >= 0).any())

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The images; raise UserError for points, which not every kind of data supports."""
        if not np.issubdtype(self.images.dtype, np.uint8):
            raise UserError(f"{self.name} holds points, but this variant needs images: give another --data")
        return cast("NDArray[np.uint8]", self.images)


def decode(
    name: str, items: Sequence[Item], classes: Sequence[str], wanted: Wanted, key: str, report: Report | None = None
) -> Pictures:
    """Decode every item to one size and number of channels, once: the result is cached under `key`.

    Unreadable items are skipped and named; raise UserError if they are all, or more than 1 % without `skip_broken`.
    """
    entry = cache.entry("images", NOTES, key, wanted.size, wanted.channels)
    found = entry.read(_read)
    if found is None:
        shape = _shape(items, wanted)
        with entry.write(len(items) * (math.prod(shape) + LABEL.itemsize)) as draft:
            draft.seal({"shape": shape, "notes": _fill(draft.path, items, shape, wanted, report)})
        found = entry.read(_read)
    if found is None:
        raise UserError(f"the cache {cache.root()} loses what is written to it: set GANCLI_CACHE to another folder")
    images, labels, content, notes = found
    check_broken(len(items) - len(labels), len(items), named_in(notes), skip=wanted.skip_broken)
    return Pictures(name, images, labels, tuple(classes), content, tuple(notes))


@dataclass(frozen=True)
class _About:
    """The description of decoded images in a cache entry."""

    shape: Shape
    notes: list[str]


def _read(kept: cache.Kept) -> tuple[NDArray[np.uint8], NDArray[np.int64], str, list[str]]:
    about = held_to(kept.about, _About)
    labels = np.frombuffer(kept.load(LABELS), LABEL).astype(np.int64)
    images = kept.map(IMAGES, np.uint8, (len(labels), *about.shape))
    return images, labels, kept.files[IMAGES].sha256, about.notes


def _fill(folder: Path, items: Sequence[Item], shape: Shape, wanted: Wanted, report: Report | None) -> list[str]:
    """Write images and labels, and return notes about them."""
    channels, *size = shape
    labels: list[int] = []
    broken: list[str] = []
    looks: Counter[Look] = Counter()

    def read(item: Item) -> tuple[Look, NDArray[np.uint8]] | str:
        try:
            with item.open() as image:
                return look_at(image), to_array(image, (size[0], size[1]), channels)
        except UNREADABLE as error:
            cache.raise_if_full(error)
            return f"{item.name} ({reason(error)[:80]})"

    ahead = max(wanted.threads, min(AHEAD, AHEAD_BYTES // math.prod(shape)))
    cache_room.allocate(folder / IMAGES, len(items) * math.prod(shape))
    # not mapped: a full disk then raises an error instead of killing the process
    with (folder / IMAGES).open("r+b") as file:
        for done, (item, result) in enumerate(zip(items, ordered(read, items, wanted.threads, ahead)), start=1):
            if isinstance(result, str):
                broken.append(result)
            else:
                look, pixels = result
                looks[look] += 1
                file.write(pixels.tobytes())
                labels.append(item.label)
            if report and (done % 200 == 0 or done == len(items)):
                report(done, len(items))
        file.truncate()
    check_broken(len(broken), len(items), _listed(broken), skip=wanted.skip_broken)
    (folder / LABELS).write_bytes(np.array(labels, LABEL).tobytes())
    return [
        *described(looks, (size[0], size[1]), channels, asked=wanted.size is not None),
        *skipped(len(broken), _listed(broken)),
    ]


def skipped(broken: int, listed: str) -> list[str]:
    """Return the note about files that were skipped; no note if there were none."""
    return [f"skipped {broken} unreadable: {listed}"] if broken else []


def named_in(notes: Sequence[str]) -> str:
    """Return the files that the note about skipped ones names."""
    return "".join(note.partition(" unreadable: ")[2] for note in notes)


def check_broken(broken: int, of: int, listed: str, *, skip: bool, name: str = "") -> None:
    """Raise UserError if too many files are broken, with the rule and the option that changes it."""
    said = f"{broken} of {of} images{f' of {name}' if name else ''} cannot be read: {listed}"
    if broken == of:
        raise UserError(said)
    if broken > TOLERATED * of and not skip:
        raise UserError(
            f"{said}; at most {TOLERATED:.0%} of the images may be skipped: remove such files, or give --skip-broken"
        )


def ordered(function: Callable[[Item], T], items: Sequence[Item], threads: int, ahead: int) -> Iterator[T]:
    """Map in threads, in order, with at most `ahead` results waiting."""
    with ThreadPoolExecutor(threads) as pool:
        for i in range(0, len(items), ahead):
            yield from pool.map(function, items[i : i + ahead])


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return printable(", ".join(names[:most])) + more


# ------------------------------------------------------------------------------------------ size and mode


def _shape(items: Sequence[Item], wanted: Wanted) -> tuple[int, int, int]:
    """Return channels, height and width: the user's, or else those that fit the data."""
    sizes, modes = _survey(items) if wanted.size is None or wanted.channels is None else (Counter(), Counter())
    return wanted.channels or natural_channels(modes), *(wanted.size or natural_size(sizes))


def natural_channels(modes: Iterable[str]) -> int:
    """Return the channels to train with: 1 if all images are grey, else 3."""
    return 1 if all(is_grey(mode) for mode in modes) else 3


def natural_size(sizes: "Counter[Size]") -> Size:
    """Return the size to train at: the images' own if they share one that halves evenly, else a square power of two."""
    if len(sizes) == 1:
        (height, width), *_ = sizes
        if halvings(height, width) and min(height, width) <= LARGEST_COMMON:
            return height, width
    shorter = int(median([min(size) for size in sizes.elements()]))
    side = 1 << (max(8, min(shorter, LARGEST_DEFAULT)).bit_length() - 1)
    return side, side


def _survey(items: Iterable[Item]) -> tuple["Counter[Size]", "Counter[str]"]:
    """Count sizes and modes by reading headers only; decoding reports unreadable items later."""
    sizes: Counter[Size] = Counter()
    modes: Counter[str] = Counter()
    for item in items:
        try:
            with item.open() as image:
                look = look_at(image)
            sizes[look.size] += 1
            modes[look.mode] += 1
        except UNREADABLE as error:
            cache.raise_if_full(error)
    if not sizes:
        raise UserError(f"none of {sum(1 for _ in items)} images can be read: {_listed([i.name for i in items])}")
    return sizes, modes
