"""MODEL on the command line to a GAN that is ready for use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch.nn.modules.module import register_module_parameter_registration_hook

from gancli import checkpoint, published, registry
from gancli.data import cache
from gancli.ema import pruned
from gancli.errors import UserError, missing
from gancli.gan import GAN
from gancli.run import RUNS, Folder, runs

LEAST, RATIO = 2**28, 64  # bytes that networks may have: what only training needs may be larger than the file
MOST_TENSORS = 10_000
UNFIT = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError)


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
        return published.fetch_checkpoint(*known)
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
    if about.variant.endswith(".py") or about.source:
        _check_trusted(about)
    kind = registry.load(about.variant)
    try:
        return kind(kind.hparams(**about.hparams), about.spec)
    except UserError:
        raise
    except UNFIT as error:
        reason = " ".join(str(error).split())[:160]
        reason = "there is not enough memory for them" if "allocate memory" in reason else reason
        raise UserError(f"the checkpoint's hyperparameters do not fit {about.variant}: {reason}") from None


def load(model: Model) -> GAN[Any]:
    """Build the trained GAN, with only the networks that use needs; nothing but the file is read."""
    with _bounded(model.path):
        gan = pruned(build(model.about))
    checkpoint.load_served(model.path, gan)
    return gan.eval().requires_grad_(False)


@contextmanager
def _bounded(path: Path) -> Iterator[None]:
    """Let the block make networks as large as a file may describe: what it claims beyond that takes no memory."""
    most, made = max(LEAST, RATIO * path.stat().st_size), [0, 0]

    def register(_module: Any, _name: str, parameter: Any) -> None:
        made[0] += parameter.nbytes
        made[1] += 1
        if made[0] > most or made[1] > MOST_TENSORS:
            raise ValueError(f"they make networks of more than {made[0]:,} bytes, and the file is much smaller")

    hook = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        hook.remove()


def trust(variant: str) -> None:
    """Remember that the user has named a file of code, as it is now: checkpoints may ask for it from now on."""
    if named := source_hash(variant):
        mark = _mark(named)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _check_trusted(about: checkpoint.About) -> None:
    """Raise UserError for code that the user has never named: a checkpoint comes from anyone."""
    found = source_hash(about.variant)
    if not found or found != about.source:
        raise UserError(f"{about.variant} is not the file that this checkpoint was trained with: it has changed")
    if not _mark(found).is_file():
        raise UserError(
            f"this checkpoint wants to run {about.variant}, which you have never trained: if you trust that file, "
            f"say so with gancli train {about.variant} --dry-run"
        )


def _mark(sha256_of_it: str) -> Path:
    return cache.root() / "trusted" / sha256_of_it


def source_hash(variant: str) -> str:
    """Name the content of a variant that is a file of the user's; empty for all others."""
    if not variant.endswith(".py"):
        return ""
    return sha256(registry.source(variant).read_bytes()).hexdigest()


def able(capability: type) -> list[str]:
    """Name the variants that can do something, a protocol of gancli.gan."""
    return [name for name in registry.names() if issubclass(registry.load(name), capability)]
