"""MODEL on the command line to a GAN that is ready for use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.nn.modules.module import register_module_parameter_registration_hook

from gancli import checkpoint, published, registry, terminal
from gancli import trust as trusting
from gancli.ema import pruned
from gancli.errors import UserError, missing
from gancli.gan import GAN
from gancli.run import CHECKPOINTS, RUNS, Folder, runs
from gancli.untrusted import reason

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
        run = self.path.resolve().parent.parent.name if self.path.parent.name == CHECKPOINTS else ""
        return run or self.path.stem


def find(model: str, *, best: bool = False) -> Model:
    """Find the checkpoint that MODEL names: a file, a run folder (its newest), a run under ./runs, a published name."""
    return _opened(local(model, best=best) or _published(model))


def find_local(model: str) -> Model:
    """Find the checkpoint that MODEL names, where nobody has asked for it by name: nothing is fetched."""
    if path := local(model):
        return _opened(path)
    raise UserError(f"there is no model '{model}' here")


def _opened(path: Path) -> Model:
    return Model(path, checkpoint.describe(path), checkpoint.fingerprint(path))


def local(model: str, *, best: bool = False) -> Path | None:
    """Find the file that MODEL names on this machine: itself, or that of a run; None for other names."""
    path = Path(model).expanduser()
    if path.is_file():
        return path
    folder = run_folder(model)
    return _in_folder(folder, best) if folder else None


def run_folder(model: str) -> Folder | None:
    """Find the folder that MODEL names: itself, or a run under ./runs; None for other names."""
    found = (path for path in (Path(model).expanduser(), RUNS / model) if path.is_dir())
    return next(map(Folder, found), None)


def _published(model: str) -> Path:
    """A published model, which is fetched the first time."""
    if known := published.find(model):
        return published.fetch_checkpoint(*known)
    raise missing("model", model, [*(f"{RUNS.name}/{name}" for name in runs()), *published.names()])


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


def build(about: checkpoint.About) -> GAN[Any]:
    """Make the GAN that a checkpoint describes, untrained."""
    kind = kind_of(about)
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


def kind_of(about: checkpoint.About) -> type[GAN[Any]]:
    """Give the class that a checkpoint names; code in a file of its own is run only if the user trusts it."""
    if about.variant.endswith(".py") or about.source:
        _check_trusted(about)
    return registry.load(about.variant)


def _check_trusted(about: checkpoint.About) -> None:
    if not about.variant.endswith(".py"):
        raise UserError(f"{about.variant} is not the file that this checkpoint was trained with: it is built in")
    trusting.check(trusting.read(registry.source(about.variant)), about.source)


def trust(variant: str) -> None:
    """Remember that the user has named a file of code, as it is now: checkpoints may ask for it from now on."""
    if not variant.endswith(".py"):
        return
    try:
        trusting.allow(trusting.read(registry.source(variant)))
    except (OSError, UserError) as error:  # a home that is full, read-only or not there stops no training
        terminal.warn(f"that you trust {variant} cannot be remembered ({reason(error)}): its checkpoints will ask")


def source_hash(variant: str) -> str:
    """Name the content of a variant that is a file of the user's; empty for all others."""
    return trusting.read(registry.source(variant)).sha256 if variant.endswith(".py") else ""


def able(capability: type) -> list[str]:
    """Name the variants that can do something, a protocol of gancli.gan."""
    return [name for name in registry.names() if issubclass(registry.load(name), capability)]
