"""Write a clean copy of a source: no damaged files, no copies, names that fit; nothing else is touched."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from PIL import Image, ImageOps

from gancli.data.inspection.facts import Facts, Unreadable
from gancli.data.inspection.inspect import Inspection
from gancli.errors import UserError
from gancli.images.reading import has_alpha, upright
from gancli.system import atomic
from gancli.system.progress import Tell
from gancli.system.untrusted.names import expanded

LOSSLESS = ("PNG", "BMP", "TIFF", "PPM", "TGA")
PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
# of names that archives may hold, and folders may not: too long, below another image, with characters that are none
NAMELESS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ, errno.EINVAL)


class LeftOut(NamedTuple):
    """A file that is not in the copy, and why."""

    file: str
    why: str


@dataclass(frozen=True)
class Cleaned:
    """What a clean copy holds."""

    path: Path
    written: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)  # old name -> new name
    converted: list[str] = field(default_factory=list)  # new names of files that are not copied byte for byte


def check_target(target: Path, src: str, option: str = "--fix") -> None:
    """Raise UserError if a folder cannot be made there, holds something, or lies in the source."""
    if os.path.lexists(target) and (not target.is_dir() or target.is_symlink()):
        raise UserError(f"{option} {target} is not a folder: give the name of a new folder")
    if target.is_dir() and any(target.iterdir()):
        raise UserError(f"{option} {target} is not empty: give the name of a new folder")
    source = expanded(src)
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{option} {target} lies in {src}, which must stay as it is: give a folder outside of it")


def write_copy(seen: Inspection, target: Path, tell: Tell) -> Cleaned:
    """Write a clean copy of the source's own images, completely or not at all."""
    done = Cleaned(target)
    dropped = dict(_dropped(seen))
    with atomic.new_folder(target) as folder:
        for i in range(seen.own):
            one, name = seen.found[i], seen.items[i].name
            if isinstance(one, Unreadable):
                why = one.why
            else:
                why = dropped.get(i) or _unsafe(name) or _write(seen, i, one, folder, done)
            if why:
                done.left_out.append(LeftOut(name, why))
            tell("copying", i + 1, seen.own)
        written = seen.own - len(done.left_out)
        if not written:
            raise UserError(f"--fix {target}: nothing would be left of {seen.name}")
    return Cleaned(target, written, done.left_out, done.renamed, done.converted)


def _dropped(seen: Inspection) -> Iterator[tuple[int, str]]:
    """Yield the images that the copy leaves out, and why."""
    facts = {i: one for i, one in enumerate(seen.found) if isinstance(one, Facts)}
    yield from ((i, "all pixels have one colour") for i, one in facts.items() if one.plain)
    for family in seen.copies.families:
        keep = best(family, seen)
        yield from ((i, f"the same image as {seen.items[keep].name}") for i in family if i != keep)


def best(family: Sequence[int], seen: Inspection) -> int:
    """Return which of several copies to keep: of the test data, the largest, without losses, of the shortest name."""

    def rank(i: int) -> tuple[bool, int, bool, int, int]:
        one = seen.found[i]
        assert isinstance(one, Facts)
        return not seen.places[i].trains, one.size[0] * one.size[1], one.format in LOSSLESS, -len(one.name), -i

    return max(family, key=rank)


def _unsafe(name: str) -> str:
    """Return why no file may have this name: archives may hold any."""
    path = PurePosixPath(name)
    bad = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.name
    return "its name leads out of the folder" if bad or (os.name == "nt" and ":" in name) else ""


def _write(seen: Inspection, i: int, one: Facts, folder: Path, done: Cleaned) -> str:
    """Copy a file byte for byte, or save as PNG what is not a file of a single image; return why that cannot be."""
    item, place = seen.items[i], seen.places[i]
    name = item.name if one.format else f"{_folder_name(place.label)}{item.name.lstrip('#'):0>6}"
    convert = one.animated or not one.format
    suffix = ".png" if convert else one.suffix
    path = _free(folder / PurePosixPath(name).with_suffix(suffix))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)
    except OSError as error:
        if error.errno in NAMELESS:
            return "no folder can hold its name"
        raise
    with item.open() as image, path.open("wb") as file:
        if convert:
            _for_png(image).save(file, "PNG")
        else:
            _copy(image, file)
    new = path.relative_to(folder).as_posix()
    if convert:
        done.converted.append(new)
    if one.format and new != item.name:
        done.renamed[item.name] = new
    return ""


def _for_png(image: Image.Image) -> Image.Image:
    """Return an image upright, as a PNG that is saved has no EXIF, and in a mode that a PNG can have."""
    image = ImageOps.exif_transpose(image)
    return image if image.mode in PNG_MODES else upright(image, keep_alpha=has_alpha(image))


def _folder_name(label: str) -> str:
    return f"{label.replace('/', ' ').replace('..', ' ')}/" if label else ""


def _copy(image: Any, file: IO[bytes]) -> None:
    image.fp.seek(0)  # the very file that was opened, whatever has its name by now
    shutil.copyfileobj(image.fp, file)


def _free(path: Path) -> Path:
    """Return a path that no file has: mended names may meet others, and archives may hold a name twice."""
    names = (path.with_stem(f"{path.stem}{f'-{n}' if n else ''}") for n in range(10**9))
    return next(free for free in names if not os.path.lexists(free))
