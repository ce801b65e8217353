"""The folder of a run: chosen, held by one process alone, and what a run that goes on finds in it."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from gancli import atomic, checkpoint, dist
from gancli.checkpoint import is_text
from gancli.ema import EMA
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.run import Folder, RunOptions, newest_folder, next_folder

Note = Callable[[str], None]


def choose(variant: str, data: str, options: RunOptions) -> Folder:
    """Choose the folder that the options ask for; raises UserError when it cannot be this run's."""
    if options.out:
        folder = Folder(options.out.expanduser())
    else:
        folder = (options.resume and newest_folder(variant, data)) or next_folder(variant, data)
    if not is_text(folder.path):
        raise UserError(f"--out {folder.path}: checkpoints need a name that is UTF-8")
    if folder.path.exists() and not folder.path.is_dir():
        raise UserError(f"--out {folder.path} is a file")
    if folder.read_about() and not options.resume:
        raise UserError(f"--out {folder.path} already holds a run: give --resume to go on with it, or another folder")
    return folder


@contextmanager
def held(variant: str, data: str, options: RunOptions) -> Iterator[Folder]:
    """Choose a run's folder, and hold it until the block ends: a second process is refused with UserError.

    A folder in which nothing was written goes again. A dry run makes and holds none.
    """
    folder = choose(variant, data, options)
    dist.wait()  # all have chosen before one of them makes it
    if options.dry_run or dist.rank() > 0:
        yield dist.gathered(folder)[0]
        return
    made = _made(folder, variant, data, options)
    with atomic.locked(made.path) as mine:
        if not mine:
            raise UserError(f"--out {made.path}: another process is training there")
        made.tidy()
        try:
            yield dist.gathered(made)[0]
        finally:
            _remove_if_empty(made.path)


def _made(folder: Folder, variant: str, data: str, options: RunOptions) -> Folder:
    """Make the folder; where another run has just taken the next free number, take the one after it."""
    named = options.out is not None or options.resume
    while True:
        try:
            folder.path.mkdir(parents=True, exist_ok=named)
        except FileExistsError:
            folder = next_folder(variant, data)
        except OSError as error:
            raise UserError(f"--out {folder.path} cannot be made: {error.strerror}; give a folder that can") from None
        else:
            return folder


def _remove_if_empty(path: Path) -> None:
    for folder in (path, path.parent):
        if folder.is_dir() and folder.name and not any(folder.iterdir()):
            folder.rmdir()


def newest(folder: Folder) -> Path | None:
    """Find the newest checkpoint that is whole and can be resumed."""
    return next((path for path in reversed(folder.checkpoints()) if checkpoint.resumes(path)), None)


def go_back(
    folder: Folder,
    total: int,
    gan: GAN[Any],
    fresh: Callable[[], GAN[Any]],
    players: Mapping[str, Optimizer],
    ema: EMA,
) -> Clock:
    """Restore the newest checkpoint, or the beginning where none was written; returns where training stands then."""
    if good := newest(folder):
        clock = dataclasses.replace(checkpoint.restore(good, gan, players, ema), total=total)
    else:
        checkpoint.reset(gan, fresh(), players, ema)
        clock = Clock(0, 0, total)
    if dist.rank() == 0:
        folder.rewind(clock.step)
    return clock


def set_aside_newer(folder: Folder, than: Path | None, note: Note) -> None:
    """Rename the damaged checkpoints that are newer than the one resumed: they must not count as those to keep."""
    for path in folder.checkpoints():
        if (than is None or path.name > than.name) and not checkpoint.whole(path):
            path.rename(path.with_name(f"{path.name}.damaged"))
            note(f"damaged   {path.name} cannot be resumed: set aside as {path.name}.damaged")


def check_unchanged(folder: Folder, about: dict[str, Any]) -> None:
    """Raise UserError when what is learnt would change; the length may."""
    before = folder.read_about()
    if before is None:
        return
    old, new = (_learnt(a) for a in (before, json.loads(json.dumps(about))))
    changed = [
        f"{k} was {old.get(k)}, now {new.get(k)}" for k in {**old, **new} if k != "kimg" and old.get(k) != new.get(k)
    ]
    if changed:
        raise UserError(f"--resume: {folder.path} was trained otherwise: {'; '.join(changed)}")


def _learnt(about: dict[str, Any]) -> dict[str, Any]:
    said = {"image" if k == "spec" else k: about.get(k) for k in ("variant", "seed", "data", "spec", "source")}
    hparams = about.get("hparams")
    return {**(hparams if isinstance(hparams, dict) else {}), **said}
