"""Describe the images of a source before anything is done to them, and what is done to make them alike."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from PIL import Image

from gancli.images.reading import ORIENTATION, has_alpha
from gancli.images.sizes import Size

SWAPPED = 5  # the first of EXIF's orientations that swaps the sides
FEW_SIZES = 3  # that are listed one by one


class Look(NamedTuple):
    """What an image is like in its file."""

    size: Size  # upright
    mode: str
    alpha: bool
    turned: bool  # by its EXIF orientation


def look_at(image: Image.Image) -> Look:
    """Read what an image is like from its header."""
    orientation = image.getexif().get(ORIENTATION, 1)
    swapped = orientation >= SWAPPED
    size = (image.width, image.height) if swapped else (image.height, image.width)
    return Look(size, image.mode, has_alpha(image), 2 <= orientation <= 8)


def is_grey(mode: str) -> bool:
    """Tell whether images of a mode have no colour."""
    return mode in ("1", "L", "LA", "La", "F") or mode.startswith("I")


def described(looks: Mapping[Look, int], size: Size, channels: int, *, asked: bool = False) -> list[str]:
    """Return notes about images, counted by their look: what was found, and how they reach a size and channels.

    `asked` tells that the user chose the size.
    """
    return [
        _found(looks),
        *_fitted(looks, size, "" if asked else "; --size W or WxH changes that"),
        *_composited(looks, channels),
        *_converted(looks, channels),
    ]


def _found(looks: Mapping[Look, int]) -> str:
    sizes: Counter[Size] = Counter()
    for look, count in looks.items():
        sizes[look.size] += count
    total = f"{sizes.total():,} image{'s' * (sizes.total() > 1)}"
    if len(sizes) <= FEW_SIZES:
        return f"{total}, {', '.join(_sides(found) for found, _ in sizes.most_common())}"
    smallest, largest = (choose(sizes, key=lambda side: (side[0] * side[1], side)) for choose in (min, max))
    return f"{total} of {len(sizes):,} sizes, {_sides(smallest)} to {_sides(largest)}"


def _fitted(looks: Mapping[Look, int], size: Size, hint: str) -> Iterator[str]:
    """Describe how images come to one size, as `images.reading.to_array` does it."""
    if all(look.size == size for look in looks):
        return
    total = sum(looks.values())
    cropped = _count(looks, lambda look: _is_cropped(look.size, size))
    enlarged = _count(looks, lambda look: look.size[0] < size[0] or look.size[1] < size[1])
    some = "" if cropped == total else f" ({cropped:,} images)"
    ways = [f"cropped at the centre{some}"] if cropped else []
    ways += [f"resized to {_sides(size)}{f', {enlarged:,} of them enlarged' if enlarged else ''}"]
    yield " and ".join(ways) + hint


def _is_cropped(found: Size, size: Size) -> bool:
    """Tell whether a whole pixel is cut off from one of the sides."""
    height, width = found
    return max(width - height * size[1] / size[0], height - width * size[0] / size[1]) >= 1


def _composited(looks: Mapping[Look, int], channels: int) -> Iterator[str]:
    if count := _count(looks, lambda look: look.alpha):
        yield f"transparency of {count:,} " + ("kept" if channels == 4 else "laid on white; --channels 4 keeps it")


def _converted(looks: Mapping[Look, int], channels: int) -> Iterator[str]:
    grey = _count(looks, lambda look: is_grey(look.mode))
    colour = sum(looks.values()) - grey
    if channels == 1 and colour:
        yield f"colours of {colour:,} turned to grey"
    if channels > 1 and colour and grey:
        yield f"{grey:,} grey images among {colour:,} in colour: all have {channels} channels"
    if deep := _count(looks, lambda look: look.mode.startswith("I") or look.mode == "F"):
        yield f"{deep:,} of more than 8 bits scaled to 8"
    if turned := _count(looks, lambda look: look.turned):
        yield f"{turned:,} turned upright, as their EXIF orientation says"


def _count(looks: Mapping[Look, int], applies: Callable[[Look], bool]) -> int:
    return sum(count for look, count in looks.items() if applies(look))


def _sides(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
