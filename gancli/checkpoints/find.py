"""Find the checkpoint that MODEL on the command line names."""

from dataclasses import dataclass
from pathlib import Path

from gancli.checkpoints import checkpoint, published
from gancli.checkpoints.about import About
from gancli.checkpoints.run_folder import CHECKPOINTS, RUNS, Folder, runs
from gancli.errors import UserError, missing
from gancli.system.untrusted.names import expanded

FEW_RUNS = 8  # named in an error


@dataclass(frozen=True)
class Model:
    """A checkpoint and its metadata."""

    path: Path
    about: About
    fingerprint: str

    @property
    def name(self) -> str:
        """The name shown to the user: that of the run, or of the file."""
        run = self.path.resolve().parent.parent.name if self.path.parent.name == CHECKPOINTS else ""
        return run or self.path.stem


def find_model(model: str, *, best: bool = False) -> Model:
    """Find the checkpoint that MODEL names: a file, a run folder (its newest), a run under ./runs, a published name."""
    return _opened(local(model, best=best) or _published(model))


def only_published(model: str) -> str | None:
    """Return what MODEL does if it names no file or run on this machine, but a published model; None for others."""
    known = published.find(model) if local(model) is None else None
    return known.does if known else None


def find_local(model: str) -> Model:
    """Find the checkpoint that MODEL names on this machine; nothing is downloaded."""
    if path := local(model):
        return _opened(path)
    raise UserError(f"there is no model '{model}' on this machine")


def _opened(path: Path) -> Model:
    return Model(path, checkpoint.describe(path), checkpoint.fingerprint(path))


def local(model: str, *, best: bool = False) -> Path | None:
    """Find the file that MODEL names on this machine: itself, or that of a run; return None for other names."""
    path = expanded(model)
    if path.is_file():
        return path
    folder = run_folder(model)
    return _in_folder(folder, best) if folder else None


def run_folder(model: str) -> Folder | None:
    """Find the folder that MODEL names: itself, or a run under ./runs; return None for other names.

    A folder without a run, such as one of images, hides neither a run under ./runs nor a published model.
    """
    there = [Folder(path) for path in (expanded(model), RUNS / model) if path.is_dir()]
    if of_runs := [folder for folder in there if folder.holds_run]:
        return of_runs[0]
    return there[0] if there and not published.find(model) else None


def _published(model: str) -> Path:
    """Return a published model's checkpoint, downloaded the first time."""
    if known := published.find(model):
        return published.fetch_checkpoint(known)
    mine = [f"{RUNS.name}/{name}" for name in runs()]
    others = "gancli list --published lists other people's models"
    raise missing("model", model, [*mine, *published.names()], f"{runs_here(mine)}; {others}")


def runs_here(mine: list[str]) -> str:
    """Name the runs under ./runs, the first if there are many: a wrong name is most often that of a run."""
    if not mine:
        return f"there are no runs in ./{RUNS.name}"
    rest = f" and {len(mine) - FEW_RUNS} more" if len(mine) > FEW_RUNS else ""
    return f"the runs here are {', '.join(mine[:FEW_RUNS])}{rest}"


def _in_folder(folder: Folder, best: bool) -> Path:
    folder.check()
    if best:
        if not folder.best.is_file():
            raise UserError(f"{folder.path} has no best checkpoint: train with --metrics and --eval-every")
        return folder.best
    found = folder.checkpoints()
    if not found:
        raise UserError(f"{folder.path} holds no checkpoint: give a run folder or a {checkpoint.SUFFIX} file")
    return found[-1]
