"""The run folder: choosing it, locking it for one process, and resuming from what it holds."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gancli import registry
from gancli.checkpoints import checkpoint, fine_tuning
from gancli.checkpoints.checkpoint import is_text
from gancli.checkpoints.fine_tuning import Start
from gancli.checkpoints.run_folder import Folder, Recorded, newest_folder, next_folder, seen
from gancli.data.sources import builtin
from gancli.data.sources.torchvision import NAMED
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.system import atomic, dist
from gancli.system.untrusted.door import parse_nulled, printable, to_json
from gancli.system.untrusted.names import expanded
from gancli.training.options import RunOptions
from gancli.training.state import State

Note = Callable[[str], None]


def choose(variant: str, data: str, options: RunOptions) -> Folder:
    """Choose the run folder from the options. Raise UserError if this run cannot use it."""
    if options.out:
        folder = Folder(expanded(options.out))
    else:
        folder = (options.resume and newest_folder(variant, data)) or next_folder(variant, data)
    if not is_text(folder.path):
        raise UserError(f"--out {folder.path}: the name of a run folder must be valid UTF-8")
    if os.path.lexists(folder.path) and not folder.path.is_dir():
        raise UserError(f"--out {folder.path} exists and is not a folder: give another path")
    folder.check()
    if folder.read_about() and not options.resume:
        raise UserError(f"--out {folder.path} already holds a run: give --resume to continue it, or another folder")
    return folder


@contextmanager
def held(variant: str, data: str, options: RunOptions) -> Iterator[Folder]:
    """Choose a run's folder and lock it until the block ends. Raise UserError if another process holds it.

    A new folder that is still empty at the end is removed. A dry run neither creates nor locks a folder.
    """
    folder = choose(variant, data, options)
    dist.wait()  # all ranks choose before rank 0 creates the folder
    if options.dry_run or dist.rank() > 0:
        yield dist.gathered(folder)[0]
        return
    made, new = _made(folder, variant, data, options)
    with atomic.locked(made.path) as mine:
        if not mine:
            raise UserError(f"--out {made.path} is in use by another training process: give another folder, or wait")
        made.tidy()
        try:
            yield dist.gathered(made)[0]
        finally:
            with suppress(atomic.Gone):
                atomic.check_held(made.path)
                atomic.remove_empty(new)


def _made(folder: Folder, variant: str, data: str, options: RunOptions) -> tuple[Folder, list[Path]]:
    """Create the folder and return the new ones; if another run has just taken its number, take the next one."""
    named = options.out is not None or options.resume
    while True:
        try:
            return folder, atomic.make_folder(folder.path, exist_ok=named)
        except FileExistsError:
            if options.out:
                raise UserError(f"--out {folder.path} exists and is not a folder: give another path") from None
            folder = next_folder(variant, data)
        except OSError as error:
            raise UserError(f"--out {folder.path} cannot be created: {error.strerror}; give another folder") from None


def newest(folder: Folder) -> Path | None:
    """Return the newest checkpoint that is undamaged and resumable."""
    return next((path for path in reversed(folder.checkpoints()) if checkpoint.resumes(path)), None)


def resumed(folder: Folder) -> Path | None:
    """Return the checkpoint to resume from; None if none has been written yet.

    Raise UserError if none of the checkpoints is resumable: starting over would eventually delete them.
    """
    found = newest(folder)
    if found is None and (kept := folder.checkpoints()):
        raise UserError(
            f"--resume: no checkpoint in {folder.path} can be resumed: {kept[-1].name} is damaged or holds inference "
            f"weights only; train a new run, or move {kept[-1].parent} away to start this one over"
        )
    return found


def restore(path: Path, state: State) -> None:
    """Continue from a checkpoint; the length of training stays the current one."""
    clock = checkpoint.restore(path, state.gan, state.players, state.ema)
    state.clock = dataclasses.replace(clock, total=state.clock.total)


def go_back(folder: Folder, state: State, fresh: Callable[[], GAN[Any]]) -> None:
    """Restore the newest checkpoint, or the initial state if there is none.

    Raise UserError if the run folder, and with it the checkpoints, is gone.
    """
    try:
        atomic.check_held(folder.path)
    except atomic.Gone as error:
        raise UserError(f"training must return to its last checkpoint but cannot: {error.strerror}") from None
    if good := newest(folder):
        restore(good, state)
    else:
        checkpoint.reset(state.gan, fresh(), state.players, state.ema)
        state.clock = Clock(0, 0, state.clock.total)
    if dist.rank() == 0:
        folder.rewind(state.clock.step)


def start_of(variant: str, options: RunOptions) -> Start | None:
    """Find the checkpoint of --from; None without it, or if a resumed run may not need it any more."""
    if options.freeze_d is not None and options.from_ is None and not options.resume:
        raise UserError(f"--freeze-d {options.freeze_d} freezes layers of a trained D: give --from MODEL too")
    if options.from_ is None:
        return None
    try:
        return fine_tuning.named(options.from_, variant, options.freeze_d or 0)
    except UserError:
        if options.resume:
            return None
        raise


def start_again(folder: Folder, before: Recorded | None, variant: str, options: RunOptions) -> Start | None:
    """Return the checkpoint that a run starts from, or has started from; raise UserError if that differs."""
    if before is None:
        return fine_tuning.named(options.from_, variant, options.freeze_d or 0) if options.from_ else None
    was, now = before.start.model if before.start else None, options.from_
    changed = [f"from was {_said(was)}, now {_said(now)}"] if now is not None and now != was else []
    if options.freeze_d is not None and options.freeze_d != before.freeze_d:
        changed.append(f"freeze-d was {before.freeze_d}, now {options.freeze_d}")
    if changed:
        raise UserError(f"--resume: settings differ from the saved run {folder.path}: {'; '.join(changed)}")
    if before.start is None:
        return None
    if newest(folder):
        return Start(before.start, None, before.freeze_d)
    return fine_tuning.again(before.start, before.freeze_d)


def set_aside_newer(folder: Folder, than: Path | None, note: Note) -> None:
    """Rename damaged checkpoints newer than the resumed one, so that they do not count towards --keep."""
    for path in folder.checkpoints():
        if (than is None or seen(path) > seen(than)) and not checkpoint.whole(path):
            note(f"damaged   {path.name} cannot be resumed: renamed to {atomic.set_aside(path).name}")


def check_unchanged(folder: Folder, about: dict[str, Any]) -> None:
    """Raise UserError if the settings or data of a resumed run have changed: only its length may change."""
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
        raise UserError(f"--resume: settings differ from the saved run {folder.path}: {'; '.join(changed)}")
    if before.digest and before.digest != now.digest:
        raise UserError(
            f"--resume: the data have changed since {folder.path} was trained: {_said(now.data)} differs from what "
            f"{_said(before.data)} held then; restore them, train a new run, or, to continue anyway, delete "
            f'"digest" from {folder.about}'
        )


def _learnt(about: Recorded) -> dict[str, Any]:
    said = {"variant": about.variant, "seed": about.seed, "image": about.spec, "source": about.source}
    try:  # as the current variant reads them: options may have been added or removed since
        today = dataclasses.asdict(registry.hyperparameters(about.variant)(**about.hparams))
    except (TypeError, UserError):
        today = about.hparams
    return {**today, **said}


def _same_place(before: Recorded, now: Recorded) -> bool:
    """Tell whether two runs use the same data: compare names of built-in and known sets, and paths of others."""
    names = {before.data, now.data}
    if len(names) == 1:
        return True
    if not names.isdisjoint({None, *builtin.names(), *NAMED}):
        return False
    places = {expanded(Path(about.folder or "", str(about.data))).resolve() for about in (before, now)}
    return len(places) == 1


def _said(value: Any) -> str:
    parts = [f"{name} {part}" for name, part in value.items() if part] if isinstance(value, dict) else [str(value)]
    return printable(", ".join(parts))
