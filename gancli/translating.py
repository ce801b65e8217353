"""Pictures in, pictures out: files, folders, globs and standard input through a translator."""

import glob
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from gancli import atomic, models, picture_files, tiles
from gancli.data.files import SUFFIXES
from gancli.devices import choose_device
from gancli.errors import UserError
from gancli.gan import GAN, Fills, Translates
from gancli.images import ANIMATED, to_picture, to_pixels
from gancli.picture_files import Loaded
from gancli.read_ahead import in_order
from gancli.seeds import seed_all
from gancli.untrusted import check_regular, reading, reason, why

STANDARD = "-"
AHEAD = 4  # pictures that are decoded, or wait to be written, while the network works


@dataclass(frozen=True)
class TranslationRequest:
    """What to translate, and how."""

    model: str
    sources: tuple[str, ...]
    direction: str | None = None
    out: Path | None = None
    size: str | None = None
    tile: int = 1024
    mask: str | None = None
    seed: int | None = None
    compare: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """One picture: where from and where to; None: standard input and output."""

    source: Path | None
    out: Path | None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.source) if self.source else "standard input"


@dataclass(frozen=True)
class Done:
    """What came of it all."""

    written: list[Path]
    skipped: list[Path]
    failed: dict[str, str]  # by name, why
    hint: str | None  # what may look better, and how


def translate(request: TranslationRequest, device: str, progress: Callable[[int, int], None] | None = None) -> Done:
    """Translate everything that a request names; a picture that fails does not stop the others.

    Raises UserError when there is nothing to translate, or the model cannot.
    """
    model = models.find(request.model)
    gan = models.load(model)
    draw = _drawing(gan, request, choose_device(device))
    sides: list[int] = []

    def measured(picture: Image.Image) -> Image.Image:
        sides.append(min(picture.size))
        return draw(picture)

    jobs = plan(request, model.name)
    there = [job.out for job in jobs if job.out and job.out.exists() and not request.overwrite]
    jobs = [job for job in jobs if job.out not in there]
    about = {"variant": model.about.variant, "model": str(model.path), "sha256": model.fingerprint}
    about |= {"direction": request.direction, "mask": request.mask, "seed": request.seed}
    written, failed = [], {}
    for job, outcome in _pipeline(jobs, request, measured, about):
        if outcome is None:
            written += [job.out] if job.out else []
        else:
            failed[job.name] = outcome
        if progress:
            progress(len(written) + len(failed), len(jobs))
    known = min(gan.spec.height, gan.spec.width)
    larger = request.mask is None and request.size is None and max(sides, default=0) >= 2 * known
    hint = f"{model.name} learnt from pictures of {known} pixels a side: --size {known} may look better"
    return Done(written, there, failed, hint if larger else None)


# ------------------------------------------------------------------------------------------------ the model


Draw = Callable[[Image.Image], Image.Image]


def _drawing(gan: GAN[Any], request: TranslationRequest, device: torch.device) -> Draw:
    """Make what turns one picture into another; raises UserError for what the model cannot do."""
    gan = gan.to(device)
    channels = gan.spec.channels
    if request.mask is not None:
        if not isinstance(gan, Fills):
            raise UserError(f"--mask: {type(gan).__name__} does not fill holes")
        mask = request.mask
        return lambda picture: _filled(gan, picture, picture_files.hole(mask, picture.size), channels)
    if not isinstance(gan, Translates):
        what = "fills holes: give --mask x,y,w,h or --mask FILE" if isinstance(gan, Fills) else "does not translate"
        raise UserError(f"{type(gan).__name__} {what}")
    direction = choose_direction(request.direction, gan.directions, gan.spec.domains)
    if request.seed is not None:
        _make_noisy(gan, request.seed)

    @torch.inference_mode()
    def draw(picture: Image.Image) -> Image.Image:
        if request.seed is not None:
            seed_all("translate", request.seed)  # a picture's noise does not depend on those before it
        image = picture_files.to_tensor(picture, channels).to(device)
        drawn = tiles.apply(lambda x: gan.translate(x, direction), gan, image, gan.multiple, request.tile)
        return to_picture(to_pixels(drawn)[0])

    return draw


def _make_noisy(gan: GAN[Any], seed: int) -> None:
    noisy = [m for m in gan.modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    if not noisy:
        raise UserError(f"--seed {seed}: {type(gan).__name__} has no noise")
    for module in noisy:
        module.train()


@torch.inference_mode()
def _filled(gan: Any, picture: Image.Image, hole: Image.Image, channels: int) -> Image.Image:
    """Fill at the size that the model knows, and lay what it drew into the hole: all else stays as it was."""
    size = gan.spec.width, gan.spec.height
    image = picture_files.to_tensor(picture.resize(size, Image.Resampling.LANCZOS), channels).to(gan.device)
    mask = picture_files.to_tensor(hole.resize(size, Image.Resampling.BOX), 1).to(gan.device)
    drawn = to_picture(to_pixels(gan.fill(image, (mask > -1).float()))[0])
    filled = drawn.convert(picture.mode).resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(filled, picture, hole)


def choose_direction(given: str | None, directions: Sequence[str], domains: Sequence[str]) -> str:
    """Read a direction: AB or BA, the domain to go to, or both as in horse2zebra; the first one by default."""
    if given is None:
        return directions[0]
    known = {direction.lower(): direction for direction in directions}
    if len(domains) == 2:
        a, b = (domain.lower() for domain in domains)
        for direction, (source, target) in {"AB": (a, b), "BA": (b, a)}.items():
            if direction in directions:
                known |= {f"{source}2{target}": direction, target: direction}
    if given.lower() not in known:
        raise UserError(f"--direction {given}: this model goes {', '.join(known)}")
    return known[given.lower()]


# -------------------------------------------------------------------------------------------- what and where


def plan(request: TranslationRequest, model: str) -> list[Job]:
    """List what there is to translate and where each goes; raises UserError for nothing, or a clash."""
    if STANDARD in request.sources:
        if len(request.sources) > 1:
            raise UserError("- stands for one picture on standard input: give it alone")
        return [Job(None, None if request.out in (None, Path(STANDARD)) else request.out)]
    found = [pair for source in request.sources for pair in _expand(source)]
    if not found:
        raise UserError(f"no images in {', '.join(request.sources)}")
    if len(found) == 1 and not Path(request.sources[0]).is_dir():
        path, _ = found[0]
        out = request.out or path.with_name(f"{path.stem}.{_plain(model)}{_suffix(path)}")
        if not out.suffix or out.is_dir():
            out = out / (path.stem + _suffix(path))
        return [Job(path, out)]
    folder = request.out or Path("translated")
    if folder.suffix.lower() in SUFFIXES or folder.is_file():
        raise UserError(f"--out {folder}: {len(found)} pictures want a folder")
    names = [str(relative.with_suffix("")) + _suffix(path) for path, relative in found]
    twice = {name for name, count in Counter(names).items() if count > 1}
    # a.jpg and a.png cannot both become a.png
    names = [f"{relative}{_suffix(path)}" if name in twice else name for name, (path, relative) in zip(names, found)]
    if clash := next((name for name, count in Counter(names).items() if count > 1), None):
        raise UserError(f"two pictures would be written as {folder / clash}: translate their folders one by one")
    return [Job(path, folder / name) for name, (path, _) in zip(names, found)]


def _expand(source: str) -> Iterator[tuple[Path, Path]]:
    """Pictures that a source names, and what to call them below the output folder."""
    path = Path(source).expanduser()
    if path.is_dir():
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                    yield Path(parent, name), Path(parent, name).relative_to(path)
    elif path.exists() or not re.search(r"[*?\[]", source):
        yield path, Path(path.name)  # one that is not there fails alone, as an unreadable one does
    else:
        for name in sorted(glob.glob(str(path), recursive=True)):
            if Path(name).is_file():
                yield Path(name), Path(Path(name).name)


def _suffix(path: Path) -> str:
    """PNG loses nothing; what may be animated keeps its ending."""
    return path.suffix.lower() if path.suffix.lower() in ANIMATED else ".png"


def _plain(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model)


# --------------------------------------------------------------------------------------------- the pipeline


def _pipeline(
    jobs: Sequence[Job], request: TranslationRequest, draw: Draw, about: dict[str, Any]
) -> Iterator[tuple[Job, str | None]]:
    """Decode ahead and write behind in threads, so that the network never waits; give what went wrong, or None."""
    with ThreadPoolExecutor(2) as writers:
        behind: list[tuple[Job, Future[None]]] = []
        for job, loaded in zip(jobs, in_order(lambda job: _read(job, request.size), jobs, 2, AHEAD)):
            try:
                if isinstance(loaded, UserError):
                    raise loaded
                with reading(job.name):  # no failure of one may stop the others: out of memory, too small, …
                    frames = [_framed(frame, draw, request.compare) for frame in loaded.frames]
                behind.append((job, writers.submit(_write, job, loaded, frames, about)))
            except UserError as error:
                yield job, why(error).removeprefix(f"{job.name}: ")
            while len(behind) > AHEAD:
                yield _settled(*behind.pop(0))
        for job, future in behind:
            yield _settled(job, future)


def _settled(job: Job, future: "Future[None]") -> tuple[Job, str | None]:
    try:
        future.result()
    except OSError as error:
        return job, reason(error)
    return job, None


def _read(job: Job, size: str | None) -> Loaded | UserError:
    try:
        if job.source:
            check_regular(job.source)
        with reading(job.name):
            return picture_files.load(job.source or io.BytesIO(sys.stdin.buffer.read()), size)
    except UserError as error:
        return error


def _framed(frame: Image.Image, draw: Draw, compare: bool) -> Image.Image:
    """Draw a frame, with the alpha that it had; beside its source when a comparison is wanted."""
    drawn = draw(frame)
    if "A" in frame.getbands() and "A" not in drawn.getbands():
        drawn = drawn.convert("RGB")
        drawn.putalpha(frame.getchannel("A"))
    if not compare:
        return drawn
    strip = Image.new(drawn.mode, (frame.width + drawn.width, frame.height), "white")
    strip.paste(frame.convert(drawn.mode), (0, 0))
    strip.paste(drawn, (frame.width, 0))
    return strip


def _write(job: Job, loaded: Loaded, frames: list[Image.Image], about: dict[str, Any]) -> None:
    said = about | {"source": job.source.name if job.source else None}
    if job.out is None:
        picture_files.save(frames, sys.stdout.buffer, ".png", loaded, said)
        sys.stdout.buffer.flush()
        return
    with atomic.replacing(job.out) as temporary:
        picture_files.save(frames, temporary, job.out.suffix.lower(), loaded, said)
