"""MODEL on the command line to a GAN that is ready for use."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from gancli import checkpoint, published, registry
from gancli.ema import pruned
from gancli.errors import UserError, missing
from gancli.gan import GAN
from gancli.run import RUNS, Folder, runs


@dataclass(frozen=True)
class Model:
    """A checkpoint and what it says."""

    path: Path
    about: checkpoint.About
    fingerprint: str

    @property
    def name(self) -> str:
        """A name for people: the run's, or the file's."""
        return self.path.parent.parent.name if self.path.parent.name == "checkpoints" else self.path.stem


def find(model: str, *, best: bool = False) -> Model:
    """Find the checkpoint that MODEL names: a file, a run folder (its newest), a run under ./runs, a published name."""
    path = Path(model).expanduser()
    if path.is_dir():
        path = _in_folder(Folder(path), best)
    elif not path.is_file():
        path = _by_name(model, best)
    return Model(path, checkpoint.describe(path), checkpoint.fingerprint(path))


def _by_name(model: str, best: bool) -> Path:
    """A run under ./runs, or a published model, which is fetched the first time."""
    folder = RUNS / model
    if folder.is_dir():
        return _in_folder(Folder(folder), best)
    if known := published.find(model):
        return published.fetch(*known)
    raise missing("model", model, [*(f"{RUNS.name}/{name}" for name in runs()), *published.names()])


def _in_folder(folder: Folder, best: bool) -> Path:
    if best:
        if not folder.best.is_file():
            raise UserError(f"{folder.path} has no best checkpoint: train with --metrics and --eval-every")
        return folder.best
    found = folder.checkpoints()
    if not found:
        raise UserError(f"{folder.path} holds no checkpoint: give a run folder or a {checkpoint.SUFFIX} file")
    return found[-1]


def build(about: checkpoint.About) -> GAN[Any]:
    """Make the GAN that a checkpoint describes, untrained."""
    kind = registry.load(about.variant)
    if about.source and about.source != source_hash(about.variant):
        raise UserError(f"{about.variant} is not the file that this checkpoint was trained with: it has changed")
    try:
        return kind(kind.hparams(**about.hparams), about.spec)
    except TypeError as error:
        raise UserError(f"the checkpoint's hyperparameters do not fit {about.variant}: {error}") from None


def load(model: Model) -> GAN[Any]:
    """Build the trained GAN, with only the networks that use needs; nothing but the file is read."""
    gan = pruned(build(model.about))
    checkpoint.load_served(model.path, gan)
    return gan.eval().requires_grad_(False)


def source_hash(variant: str) -> str:
    """Name the content of a variant that is a file of the user's; empty for all others."""
    return sha256(Path(variant).read_bytes()).hexdigest() if variant.endswith(".py") else ""


def able(capability: type) -> list[str]:
    """Name the variants that can do something, a protocol of gancli.gan."""
    return [name for name in registry.names() if issubclass(registry.load(name), capability)]
