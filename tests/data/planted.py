"""Folders with planted faults, for `gancli data` to find: all of them, and nothing else."""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw


class Planted(NamedTuple):
    """A fault, and the files that it is in."""

    kind: str
    files: frozenset[str]


def drawings(folder: Path, count: int, side: int = 32, seed: int = 0) -> Path:
    """Write drawings of a few ellipses, no two of which are alike."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        image = Image.new("RGB", (4 * side, 4 * side), tuple(rng.integers(150, 256, 3).tolist()))
        pen = ImageDraw.Draw(image)
        for _ in range(6):
            left, top = rng.integers(0, 3 * side, 2).tolist()
            box = left, top, left + int(rng.integers(side, 3 * side)), top + int(rng.integers(side, 3 * side))
            pen.ellipse(box, tuple(rng.integers(0, 256, 3).tolist()))
        image.resize((side, side), Image.Resampling.LANCZOS).save(folder / f"{i:04d}.png")
    return folder


def opaque(path: Path) -> Image.Image:
    """Read an image, on white."""
    with Image.open(path) as opened:
        image = opened.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


# ------------------------------------------------------------------------ one file each: it is replaced


def corrupt(path: Path, rng: random.Random) -> Planted:
    path.write_bytes(path.read_bytes()[:8] + rng.randbytes(200))
    return Planted("unreadable", frozenset([path.name]))


def truncate(path: Path, rng: random.Random) -> Planted:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return Planted("unreadable", frozenset([path.name]))


def empty(path: Path, rng: random.Random) -> Planted:
    path.write_bytes(b"")
    return Planted("unreadable", frozenset([path.name]))


def misname(path: Path, rng: random.Random) -> Planted:
    opaque(path).save(path, "JPEG", quality=95)
    return Planted("misnamed", frozenset([path.name]))


def hide(path: Path, rng: random.Random) -> Planted:
    new = path.rename(path.with_suffix(rng.choice(["", ".dat"])))
    return Planted("misnamed", frozenset([new.name]))


def flatten(path: Path, rng: random.Random) -> Planted:
    colour = tuple(rng.randrange(256) for _ in range(3))
    Image.new("RGB", opaque(path).size, colour).save(path)
    return Planted("one-colour", frozenset([path.name]))


def animate(path: Path, rng: random.Random) -> Planted:
    first = opaque(path)
    new = path.with_suffix(".gif")
    first.save(new, save_all=True, append_images=[first.rotate(90)], duration=40)
    path.unlink()
    return Planted("animated", frozenset([new.name]))


def stretch(path: Path, rng: random.Random) -> Planted:
    image = opaque(path)
    strip = Image.new("RGB", (image.width * 5, image.height), "white")
    for i, turn in enumerate((0, 90, 180, 270, 45)):
        strip.paste(image.rotate(turn), (i * image.width, 0))
    strip.save(path)
    return Planted("shape", frozenset([path.name]))


def enlarge(path: Path, rng: random.Random) -> Planted:
    image = opaque(path)
    image.resize((image.width * 6, image.height * 6)).save(path)
    return Planted("size", frozenset([path.name]))


# --------------------------------------------------------------------- two files each: a copy is added


def duplicate(path: Path, rng: random.Random) -> Planted:
    """Copy a file, or save its pixels as another file."""
    copy = path.with_stem(f"{path.stem}-copy")
    if rng.random() < 0.5:
        shutil.copy(path, copy)
    else:
        with Image.open(path) as image:
            image.save(copy, compress_level=1)
    return Planted("duplicates", frozenset([path.name, copy.name]))


def compress(path: Path, rng: random.Random) -> Planted:
    copy = path.with_name(f"{path.stem}-again.jpg")
    opaque(path).save(copy, quality=rng.choice([90, 75]))
    return Planted("near-duplicates", frozenset([path.name, copy.name]))


def rescale(path: Path, rng: random.Random) -> Planted:
    image, copy = opaque(path), path.with_stem(f"{path.stem}-scaled")
    part = rng.choice([0.5, 0.75, 1.5])
    image.resize((round(image.width * part), round(image.height * part)), Image.Resampling.LANCZOS).save(copy)
    return Planted("near-duplicates", frozenset([path.name, copy.name]))


KINDS: tuple[Callable[[Path, random.Random], Planted], ...] = (
    *(corrupt, truncate, empty, misname, hide, flatten, animate, stretch, enlarge),
    *(duplicate, compress, rescale),
)


def plant(files: Sequence[Path], each: int, seed: int = 0) -> dict[str, list[Planted]]:
    """Plant so many faults of each kind in files of one folder, no two in one file; return them by name."""
    rng = random.Random(seed)
    victims = rng.sample(sorted(files), each * len(KINDS))
    return {kind.__name__: [kind(victims.pop(), rng) for _ in range(each)] for kind in KINDS}


def leak(files: Sequence[Path], test: Path, each: int, prefix: str, seed: int = 0) -> list[Planted]:
    """Copy so many training images into the test images, half of them saved again as JPEG."""
    rng, planted = random.Random(seed), []
    for i, path in enumerate(rng.sample(sorted(files), each)):
        copy = test / f"leak-{path.stem}{'.jpg' if i % 2 else path.suffix}"
        if i % 2:
            opaque(path).save(copy, quality=85)
        else:
            shutil.copy(path, copy)
        planted.append(Planted("leaks", frozenset([path.name, f"{prefix}/{copy.name}"])))
    return planted
