"""The folder of a run: chosen, held by one process alone, and what a run that goes on finds in it."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from gancli.checkpoints import checkpoint
from gancli.checkpoints.checkpoint import is_text
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.run_folder import Folder, Recorded, newest_folder, next_folder, seen
from gancli.data.sources import builtin
from gancli.data.sources.torchvision import NAMED
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.system import atomic, dist
from gancli.system.untrusted.door import parse_nulled, printable, to_json
from gancli.training.options import RunOptions

Note = Callable[[str], None]


def choose(variant: str, data: str, options: RunOptions) -> Folder:
    """Choose the folder that the options ask for; raises UserError when it cannot be this run's."""
    if options.out:
        folder = Folder(options.out.expanduser())
    else:
        folder = (options.resume and newest_folder(variant, data)) or next_folder(variant, data)
    if not is_text(folder.path):
        raise UserError(f"--out {folder.path}: checkpoints need a name that is UTF-8")
    if os.path.lexists(folder.path) and not folder.path.is_dir():
        raise UserError(f"--out {folder.path} is no folder, and not free to make one")
    folder.check()
    if folder.read_about() and not options.resume:
        raise UserError(f"--out {folder.path} already holds a run: give --resume to go on with it, or another folder")
    return folder


@contextmanager
def held(variant: str, data: str, options: RunOptions) -> Iterator[Folder]:
    """Choose a run's folder, and hold it until the block ends: a second process is refused with UserError.

    A folder that was made for it, and in which nothing was written, goes again. A dry run makes and holds none.
    """
    folder = choose(variant, data, options)
    dist.wait()  # all have chosen before one of them makes it
    if options.dry_run or dist.rank() > 0:
        yield dist.gathered(folder)[0]
        return
    made, new = _made(folder, variant, data, options)
    with atomic.locked(made.path) as mine:
        if not mine:
            raise UserError(f"--out {made.path}: another process is training there")
        made.tidy()
        try:
            yield dist.gathered(made)[0]
        finally:
            with suppress(atomic.Gone):
                atomic.check_held(made.path)
                atomic.remove_empty(new)


def _made(folder: Folder, variant: str, data: str, options: RunOptions) -> tuple[Folder, list[Path]]:
    """Make the folder, and say which are new; where another run has just taken the next free number, take the next."""
    named = options.out is not None or options.resume
    while True:
        try:
            return folder, atomic.make_folder(folder.path, exist_ok=named)
        except FileExistsError:
            if options.out:
                raise UserError(f"--out {folder.path} is no folder, and not free to make one") from None
            folder = next_folder(variant, data)
        except OSError as error:
            raise UserError(f"--out {folder.path} cannot be made: {error.strerror}; give a folder that can") from None


def newest(folder: Folder) -> Path | None:
    """Find the newest checkpoint that is whole and can be resumed."""
    return next((path for path in reversed(folder.checkpoints()) if checkpoint.resumes(path)), None)


def resumed(folder: Folder) -> Path | None:
    """Find the checkpoint to go on from; None when none was written yet.

    Raises UserError where there are only others: a new beginning would make them go in time.
    """
    found = newest(folder)
    if found is None and (kept := folder.checkpoints()):
        raise UserError(
            f"--resume: no checkpoint in {folder.path} can be resumed: {kept[-1].name} is damaged, or keeps only what "
            f"sampling needs; train a new run, or move {kept[-1].parent} away to begin this one again"
        )
    return found


def go_back(
    folder: Folder,
    total: int,
    gan: GAN[Any],
    fresh: Callable[[], GAN[Any]],
    players: Mapping[str, Optimizer],
    ema: EMA,
) -> Clock:
    """Restore the newest checkpoint, or the beginning where none was written; returns where training stands then.

    Raises UserError when the folder is gone, and what was saved in it.
    """
    try:
        atomic.check_held(folder.path)
    except atomic.Gone as error:
        raise UserError(f"training has to go back to its last checkpoint, and cannot: {error.strerror}") from None
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
        if (than is None or seen(path) > seen(than)) and not checkpoint.whole(path):
            note(f"damaged   {path.name} cannot be resumed: set aside as {atomic.set_aside(path).name}")


def check_unchanged(folder: Folder, about: dict[str, Any]) -> None:
    """Raise UserError when what is learnt would change; the length may."""
    before = folder.read_about()
    if before is None:
        return
    now = parse_nulled(to_json(about), Recorded)
    old, new = _learnt(before), _learnt(now)
    changed = [
        f"{k} was {_said(old.get(k))}, now {_said(new.get(k))}"
        for k in {**old, **new}
        if k != "kimg" and old.get(k) != new.get(k)
    ]
    if not before.digest and not _same_place(before, now):
        changed.append(f"data was {_said(before.data)}, now {_said(now.data)}")
    if changed:
        raise UserError(f"--resume: {folder.path} was trained otherwise: {'; '.join(changed)}")
    if before.digest and before.digest != now.digest:
        raise UserError(
            f"--resume: the data have changed since {folder.path} was trained: {_said(now.data)} does not hold what "
            f"{_said(before.data)} held then: restore them, or train a new run; to go on all the same, delete "
            f'"digest" from {folder.about}'
        )


def _learnt(about: Recorded) -> dict[str, Any]:
    said = {"variant": about.variant, "seed": about.seed, "image": about.spec, "source": about.source}
    return {**about.hparams, **said}


def _same_place(before: Recorded, now: Recorded) -> bool:
    """Tell whether two runs name the same data; a built-in or known set by its name, else by where it lies."""
    names = {before.data, now.data}
    if len(names) == 1:
        return True
    if not names.isdisjoint({None, *builtin.names(), *NAMED}):
        return False
    places = {Path(about.folder or "", str(about.data)).expanduser().resolve() for about in (before, now)}
    return len(places) == 1


def _said(value: Any) -> str:
    return printable(str(value))
