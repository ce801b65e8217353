"""Check that the files of a run, a model or the cache are intact.

Nothing is changed, and all faults are reported, not only the first.
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from PIL import Image

from gancli.checkpoints import checkpoint, ticks
from gancli.checkpoints.about import About
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.find import Model, find_model, local, run_folder
from gancli.checkpoints.load import build_gan, load_model
from gancli.checkpoints.run_folder import Folder
from gancli.errors import UserError
from gancli.system import cache
from gancli.system.untrusted.door import check_regular, reading
from gancli.system.untrusted.names import expanded

CACHE = "cache"
OF_OTHERS = "wandb"  # the folder of W&B in a run, where it makes links
MOST_OF_A_LOG = 20  # faults reported for one log


def faults(what: str) -> Iterator[str]:
    """Find the faults of a run, a model or the cache; raise UserError for anything else."""
    path = expanded(what)
    if what == CACHE:
        return cache.check()
    folder = None if path.is_file() else run_folder(what)
    return of_run(folder) if folder else of_model(local(what) or find_model(what).path)


def _said(attempt: Callable[[], object]) -> Iterator[str]:
    """Yield the error of an attempt to read something, if it fails."""
    try:
        attempt()
    except UserError as error:
        yield str(error)


# ------------------------------------------------------------------------------------------------ models


def of_model(path: Path) -> Iterator[str]:
    """Find the faults of a checkpoint; code in a .py file is not run unless the user trusts it."""
    found = [*_said(lambda: check_regular(path))] or [*_said(lambda: _describe(path))]
    yield from found
    if found:
        return
    about = checkpoint.describe(path)
    if not about.sha256:
        yield f"{path} holds no hashes, so damage cannot be detected"
    damaged = [*_said(lambda: checkpoint.check_parts(path))]
    yield from damaged or _said(lambda: _use(path, about))


def _describe(path: Path) -> None:
    with reading(str(path)):
        checkpoint.describe(path)


def _use(path: Path, about: About) -> None:
    """Load a checkpoint and, if it can be resumed, restore it."""
    with reading(str(path)):
        load_model(Model(path, about, ""))
        if checkpoint.resumes(path):
            gan = build_gan(about)
            checkpoint.restore(path, gan, gan.players(), EMA(gan))


# -------------------------------------------------------------------------------------------------- runs


def of_run(folder: Folder) -> Iterator[str]:
    """Find the faults of a run: in run.json, its log, every checkpoint and every image."""
    below = [path for path in _below(folder.path) if folder.path / OF_OTHERS not in path.parents]
    files = [path for path in below if not path.is_symlink() and path.is_file()]
    for path in set(below) - set(files):
        yield from _said(lambda path=path: check_regular(path, follow=False))
    if folder.about in files or not os.path.lexists(folder.about):
        yield from _said(folder.read_about)
    if folder.log in files:
        yield from islice(_of_log(folder.log), MOST_OF_A_LOG)
    saved = [path for path in files if path.suffix == checkpoint.SUFFIX and path.parent.name == "checkpoints"]
    if not saved:
        yield f"{folder.path} holds no checkpoint"
    for path in saved:
        yield from of_model(path)
    for path in files:
        if path.suffix == ".png":
            yield from _said(lambda path=path: _check_png(path))


def _below(folder: Path) -> Iterator[Path]:
    """List the files in a folder and its subfolders; links are not followed.

    Hidden files are skipped: killed writers leave them.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path))
            elif not entry.name.startswith("."):
                yield Path(entry.path)


def _of_log(log: Path) -> Iterator[str]:
    """Find lines of a log that are not ticks, or whose step decreases."""
    before = 0
    with log.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(ticks.LONGEST + 1), b""), start=1):
            try:
                tick = ticks.parse(line)
            except ValueError as error:
                why = error if line.endswith(b"\n") else "it was cut short; --resume removes it"
                yield f"{log} line {number}: {why}"
                continue
            if tick["step"] < before:
                yield f"{log} line {number}: step {tick['step']} comes after step {before}"
            before = tick["step"]


def _check_png(path: Path) -> None:
    with reading(str(path)):
        with Image.open(path, formats=("PNG",)) as image:
            image.verify()  # checks the checksums; the image must be opened again to be read
        with Image.open(path, formats=("PNG",)) as image:
            image.load()
