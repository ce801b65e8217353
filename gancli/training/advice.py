"""What to train on a source that `gancli data` has looked at: a variant, a size and a preset."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gancli import registry
from gancli.data.inspection import totals
from gancli.data.inspection.inspect import Inspection
from gancli.data.inspection.splits import TRAIN
from gancli.images.sizes import LARGEST_COMMON
from gancli.system.devices import choose_device
from gancli.system.untrusted.names import expanded
from gancli.training.output.plan_warnings import LARGE
from gancli.training.setup import FEW, preset_name

PAIRED = 0.9  # part of the images of A whose names are in B, from which they are pairs


@dataclass(frozen=True)
class Advice:
    """What to run next, and what else is worth knowing."""

    variant: str
    data: str
    size: str
    channels: int
    preset: str
    command: str
    notes: tuple[str, ...]


def advise(seen: Inspection, src: str) -> Advice:
    """Choose what training without options would choose; the recommended translator for two domains."""
    made = totals.made(seen.training)
    height, width = made.size
    size = str(width) if width == height else f"{width}x{height}"
    variant, data = _variant(seen), _data(seen, src)
    device = choose_device("auto").type
    preset = preset_name("auto", device, height, width)
    command = f"gancli train {variant} --data {shlex.quote(data)} --size {size} --preset {preset}"
    return Advice(variant, data, size, made.channels, preset, command, (*_notes(seen), *_first_size(device, made.size)))


def _variant(seen: Inspection) -> str:
    if len(seen.count("domain")) < 2:
        return registry.recommended()
    return registry.recommended(registry.PAIRS if _are_pairs(seen) else registry.DOMAINS)


def _are_pairs(seen: Inspection) -> bool:
    """Return whether the images of two domains have the same names."""
    sides: dict[str, set[str]] = {}
    for item, place in zip(seen.items[: seen.own - seen.ignored], seen.places):
        if place.trains:
            sides.setdefault(place.domain, set()).add(PurePosixPath(item.name).stem)
    a, b = (sides[name] for name in sorted(sides))
    return len(a & b) >= PAIRED * max(len(a), len(b))


def _data(seen: Inspection, src: str) -> str:
    """Return the --data to train on: the folder of the training split, if there are splits without domains."""
    if len(seen.count("split")) < 2 or len(seen.count("domain")) > 1:
        return src
    train = next(item.name for item, place in zip(seen.items, seen.places) if place.split == TRAIN)
    folder = expanded(src)
    return str(Path(src) / train.partition("/")[0]) if folder.is_dir() else src


def _first_size(device: str, size: tuple[int, int]) -> Iterator[str]:
    if device == "cpu" and min(size) >= LARGE:
        yield f"this machine has no GPU: --size {LARGE // 2} trains at least 4 times as fast; begin with that"


def _notes(seen: Inspection) -> Iterator[str]:
    count, side = len(seen.training), totals.typical_side(seen.training)
    if len(seen.count("label")) > 1:
        of_class = registry.recommended(registry.LABELS)
        yield f"{registry.recommended()} ignores the classes; {of_class} generates images of a chosen class"
    if len(seen.count("label")) == 2:
        between = registry.recommended(registry.DOMAINS)
        yield f"if the two folders are two domains, {between} translates between them, with the same --data"
    if count < FEW:
        yield f"fewer than {FEW:,} images: if each is seen often, D's inputs are augmented automatically"
    larger = min(LARGEST_COMMON, 1 << (side.bit_length() - 1))
    if larger > max(totals.made(seen.training).size):
        yield f"the images are large enough for --size {larger}, which takes longer"
