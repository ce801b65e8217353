"""List the images to translate, and the output file of each."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gancli.data.sources.folders import SUFFIXES
from gancli.errors import UserError
from gancli.images.animation import ANIMATED
from gancli.images.sheets import PLAIN, View
from gancli.system.untrusted.names import expanded

STANDARD = "-"


@dataclass(frozen=True)
class TranslationRequest:
    """The options of a translation."""

    model: str
    sources: tuple[str, ...]
    direction: str | None = None
    out: Path | None = None
    size: str | None = None
    tile: int | None = None
    mask: str | None = None
    seed: int | None = None
    attributes: str | None = None
    denoise: float | None = None
    compare: bool = False
    overwrite: bool = False
    view: View = PLAIN  # of comparisons


@dataclass(frozen=True)
class Job:
    """The source and output file of one image; None stands for standard input and output."""

    source: Path | None
    out: Path | None
    second: Path | None = None  # the output file if `out` holds the translation of another source

    @property
    def name(self) -> str:
        """Return its name for messages."""
        return str(self.source) if self.source else "standard input"


def plan(request: TranslationRequest, model: str) -> list[Job]:
    """List the images to translate and their output files; raise UserError if there are none, or names clash."""
    if STANDARD in request.sources:
        if len(request.sources) > 1:
            raise UserError("- reads one image from standard input: give no other source with it")
        return [Job(None, None if request.out in (None, Path(STANDARD)) else request.out)]
    found = [pair for source in request.sources for pair in _expand(source)]
    if not found:
        raise UserError(f"no images in {', '.join(request.sources)}")
    if len(found) == 1 and not Path(request.sources[0]).is_dir():
        return [_only(found[0][0], request.out, model)]
    folder = request.out or Path("translated")
    if folder.suffix.lower() in SUFFIXES or folder.is_file():
        raise UserError(f"--out {folder}: give a folder, there are {len(found)} images to write")
    names = [str(relative.with_suffix("")) + _suffix(path) for path, relative in found]
    twice = {name for name, count in Counter(names).items() if count > 1}
    # a.jpg and a.png cannot both become a.png
    names = [f"{relative}{_suffix(path)}" if name in twice else name for name, (path, relative) in zip(names, found)]
    if clash := next((name for name, count in Counter(names).items() if count > 1), None):
        raise UserError(f"two images would be written to {folder / clash}: translate their folders one by one")
    seconds = [f"{relative}{_suffix(path)}" for path, relative in found]
    return [Job(path, folder / name, folder / second) for name, second, (path, _) in zip(names, seconds, found)]


def _only(path: Path, out: Path | None, model: str) -> Job:
    """Return the job of a single image, which is written beside it, to a file or into a folder."""
    if out is not None and out.suffix and not out.is_dir():
        return Job(path, out)
    ending = _suffix(path) if out else f".{_plain(model)}{_suffix(path)}"
    folder = out or path.parent
    return Job(path, folder / (path.stem + ending), folder / (path.name + ending))


def _expand(source: str) -> Iterator[tuple[Path, Path]]:
    """Yield the images of a source, with their paths relative to the output folder."""
    path = expanded(source)
    if path.is_dir():
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                    yield Path(parent, name), Path(parent, name).relative_to(path)
    elif path.exists() or not re.search(r"[*?\[]", source):
        yield path, Path(path.name)  # a missing file is reported later, as an unreadable one is
    else:
        for name in sorted(glob.glob(str(path), recursive=True)):
            if Path(name).is_file():
                yield Path(name), Path(Path(name).name)


def _suffix(path: Path) -> str:
    """Return .png, which is lossless, or the file's own extension if the format can be animated."""
    return path.suffix.lower() if path.suffix.lower() in ANIMATED else ".png"


def _plain(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model)
