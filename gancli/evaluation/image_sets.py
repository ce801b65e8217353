"""Sets of real or generated images to compare, streamed in batches: any number, any size, never all in memory."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gancli.data.dataset import Dataset
from gancli.data.order import order
from gancli.data.request import Request, Wanted
from gancli.data.sources import builtin
from gancli.data.sources.decode import Item, check_broken, named_in, skipped
from gancli.data.sources.open import list_source
from gancli.errors import UserError
from gancli.images.pixels import grey_to_colour, to_pixels
from gancli.images.reading import to_array, upright
from gancli.system import cache, dist
from gancli.system.read_ahead import in_order
from gancli.system.seeds import aside, seed_of
from gancli.system.untrusted.door import held_to, reading, why

DRAWN = 100  # images generated at a time; part of the protocol, because each image's noise depends on it
AHEAD = 64  # images decoded ahead while the network works
THREADS = 2

Batches = Iterator[Tensor]  # uint8 (n, 3, H, W), images of one size
Placed = Iterator[tuple[int, Tensor]]  # the same batches, each with its position


class Share(NamedTuple):
    """The batches that one of several processes reads: every `of`-th, starting at `first`."""

    first: int = 0
    of: int = 1

    def holds(self, place: int) -> bool:
        """Return whether the batch with this number belongs to the share."""
        return place % self.of == self.first


WHOLE = Share()


class ImageSet(ABC):
    """A set of real or generated images."""

    name: str
    count: int  # images in the set, minus those that turn out to be unreadable
    labels: Tensor | None
    classes: tuple[str, ...]  # a label is an index into it; empty if their names are unknown
    notes: list[str]

    @abstractmethod
    def placed(self, size: int, share: Share = WHOLE) -> Placed:
        """Yield a share of the images, up to `size` at a time; together, all shares are the whole set."""

    def batches(self, size: int) -> Batches:
        """Return all images in order, up to `size` at a time."""
        return (batch for _, batch in self.placed(size))

    @abstractmethod
    def content(self) -> str:
        """Return a hash of the images' content, independent of their names; empty for generated images."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return the images' entry in the protocol."""


def chosen(count: int, n: int | None, seed: int = 0) -> Tensor:
    """Return the indices of the images to use: all in order, or a fixed random choice of `n`."""
    if n is None or n >= count:
        return torch.arange(count)
    return order(seed_of("eval", seed), count, 0, n).sort().values


@dataclass
class Arrays(ImageSet):
    """Images of one uint8 array (N, C, H, W), such as a data set prepared for training."""

    name: str
    images: Tensor
    split: str = ""
    labels: Tensor | None = None
    notes: list[str] = field(default_factory=list)
    n: int | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.index = chosen(len(self.images), self.n)
        self.count = len(self.index)
        self.labels = None if self.labels is None else self.labels[self.index]

    def placed(self, size: int, share: Share = WHOLE) -> Placed:
        """Yield the images in order."""
        for place, index in enumerate(self.index.split(size)):
            if share.holds(place):
                yield place, grey_to_colour(self.images[index.to(self.images.device)].cpu())

    def content(self) -> str:
        """Hash the array."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.n, _marks(self.labels))).encode())
        for part in self.images.split(4096):
            digest.update(part.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def about(self) -> dict[str, Any]:
        """Return name, split, number and size."""
        height, width = self.images.shape[2:]
        return {"data": self.name, "split": self.split, "images": self.count, "size": f"{width}x{height}"}


def _marks(labels: Tensor | None) -> list[int] | None:
    """Return what is hashed of the labels: nothing if no image has one (all are -1)."""
    return labels.tolist() if labels is not None and bool((labels >= 0).any()) else None


@dataclass(frozen=True)
class _Content:
    """The cached description of decoded files."""

    content: str
    count: int
    notes: list[str]


@dataclass
class ImageFiles(ImageSet):
    """Image files, decoded when needed: each at its own size, or all resized to one size."""

    name: str
    items: Sequence[Item]
    key: str
    split: str = ""
    size: tuple[int, int] | None = None
    n: int | None = None
    classes: tuple[str, ...] = ()
    skip_broken: bool = False

    def __post_init__(self) -> None:
        self.items = [self.items[int(i)] for i in chosen(len(self.items), self.n)]
        self.count, self.notes = len(self.items), []
        marks = torch.tensor([item.label for item in self.items])
        self.labels: Tensor | None = marks if bool((marks >= 0).any()) else None
        self._sizes: set[tuple[int, int]] = set()

    def placed(self, size: int, share: Share = WHOLE) -> Placed:
        """Yield the images in order; an image of another size starts a new batch. Skip and report unreadable files.

        Raise UserError if all are unreadable, or more than 1 % without `skip_broken`.
        """
        broken: list[str] = []
        places = [i for i in range(len(self.items)) if share.holds(i // size)]
        waiting: list[Tensor] = []
        begun = 0
        for place, found in zip(places, in_order(self._decode, (self.items[i] for i in places), THREADS, AHEAD)):
            if isinstance(found, str):
                broken.append(found)
                continue
            if waiting and (place // size != begun // size or found.shape != waiting[0].shape):
                yield begun, torch.stack(waiting)
                waiting = []
            begun = begun if waiting else place
            waiting.append(found)
        if waiting:
            yield begun, torch.stack(waiting)
        self._judge([text for part in (dist.gathered(broken) if share.of > 1 else [broken]) for text in part])

    def _judge(self, broken: list[str]) -> None:
        said = f"{', '.join(broken[:3])}{f' and {len(broken) - 3} more' if len(broken) > 3 else ''}"
        check_broken(len(broken), len(self.items), said, skip=self.skip_broken, name=self.name)
        self.count = len(self.items) - len(broken)
        self.notes = skipped(len(broken), said)
        if len(self._sizes) > 1:
            self.notes.append(f"images have {len(self._sizes)} different sizes: each was resized separately")

    def _decode(self, item: Item) -> Tensor | str:
        try:
            with reading(item.name), item.open() as picture:
                array = to_array(picture, self.size, 3) if self.size else _at_own_size(picture)
        except UserError as error:
            cache.raise_if_full(error)
            return f"{item.name} ({why(error)})"
        self._sizes.add(array.shape[1:])
        return torch.from_numpy(np.ascontiguousarray(array))

    def content(self) -> str:
        """Hash the decoded images; the hash is cached while the files do not change."""
        entry = cache.entry("content", self.key, self.size, self.n)
        if (about := entry.read(lambda kept: held_to(kept.about, _Content))) is None:
            digest = hashlib.sha256(repr(_marks(self.labels)).encode())
            for batch in self.batches(1):
                digest.update(repr(tuple(batch.shape)).encode() + batch.numpy().tobytes())
            about = _Content(digest.hexdigest()[:16], self.count, self.notes)
            with entry.write() as draft:
                draft.seal(asdict(about))
        self.count, self.notes = about.count, about.notes
        check_broken(
            len(self.items) - self.count,
            len(self.items),
            named_in(self.notes),
            skip=self.skip_broken,
            name=self.name,
        )
        return about.content

    def about(self) -> dict[str, Any]:
        """Return name, split, number and size."""
        size = f"{self.size[1]}x{self.size[0]}" if self.size else "own"
        return {"data": self.name, "split": self.split, "images": self.count, "size": size}


def _at_own_size(picture: Image.Image) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    return np.asarray(upright(picture).convert("RGB")).transpose(2, 0, 1)


@dataclass
class GeneratedImages(ImageSet):
    """Images that a model generates batch by batch, from noise that the seed determines."""

    name: str
    draw: Callable[[int], Tensor]  # up to DRAWN images (N, C, H, W) in [-1, 1], starting at an index
    count: int
    seed: int
    checkpoint: str = ""
    labels: Tensor | None = None
    notes: list[str] = field(default_factory=list)
    classes: tuple[str, ...] = ()

    @torch.no_grad()
    def placed(self, size: int, share: Share = WHOLE) -> Placed:
        """Generate the images; they do not depend on `size`."""
        for first in range(0, self.count, DRAWN):
            if not share.holds(first // DRAWN):
                continue
            pixels = torch.from_numpy(to_pixels(self._drawn(first))).permute(0, 3, 1, 2)
            yield from ((first + i * size, part) for i, part in enumerate(grey_to_colour(pixels).split(size)))

    @torch.no_grad()
    def floats(self) -> Tensor:
        """Generate all images as floats, as points are: (N, C, H, W)."""
        return torch.cat([self._drawn(first).float().cpu() for first in range(0, self.count, DRAWN)])

    def _drawn(self, first: int) -> Tensor:
        with aside("eval", self.seed, first):
            return self.draw(first)[: self.count - first]

    def content(self) -> str:
        """Return an empty string: generated images are never the reference."""
        return ""

    def about(self) -> dict[str, Any]:
        """Return model and seed."""
        return {"model": self.name, "checkpoint": self.checkpoint, "images": self.count, "seed": self.seed, "ema": True}


def open_images(
    src: str, split: str, size: tuple[int, int] | None, n: int | None, *, skip_broken: bool = False
) -> Arrays | ImageFiles:
    """Open a folder, archive, array, data set or built-in; raise UserError if it contains no images."""
    if src in builtin.names():
        pictures = builtin.open_builtin(src, Wanted(size))
        labels = torch.from_numpy(pictures.labels)
        return Arrays(src, torch.from_numpy(pictures.images), "", labels, n=n, classes=pictures.classes)
    found = list_source(Request(src, Wanted(size), split))
    if not found.items:
        raise UserError(f"{src} contains no images")
    return ImageFiles(found.name, found.items, found.key, found.split, size, n, tuple(found.classes), skip_broken)


def reals_of(dataset: Dataset[Any], split: str, n: int | None) -> Arrays:
    """Return the images that a model should imitate: a data set's images, its targets, or its second domain."""
    column = next(dataset.columns[name] for name in ("image", "target", "b") if name in dataset.columns)
    labels = dataset.columns.get("label")
    return Arrays(dataset.name, column, split, labels, n=n, classes=dataset.spec.classes)
