"""Load a GAN from a checkpoint, with a limit on memory that depends on the size of the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.nn.modules.module import register_module_parameter_registration_hook

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About
from gancli.checkpoints.ema import pruned
from gancli.checkpoints.find import Model
from gancli.checkpoints.trust import check_trusted
from gancli.errors import UserError
from gancli.gan import GAN

LEAST, RATIO = 2**28, 64  # limit on network bytes: networks that only training needs may be larger than the file
MOST_TENSORS = 10_000
UNFIT = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError)


def build_gan(about: About) -> GAN[Any]:
    """Build the GAN that a checkpoint describes, untrained."""
    kind = kind_of(about)
    try:
        return kind(kind.hparams(**about.hparams), about.spec)
    except UserError:
        raise
    except UNFIT as error:
        reason = " ".join(str(error).split())[:160]
        reason = "there is not enough memory for the networks" if "allocate memory" in reason else reason
        raise UserError(f"the checkpoint's hyperparameters do not fit {about.variant}: {reason}") from None


def load_model(model: Model) -> GAN[Any]:
    """Build the trained GAN with only the networks that inference needs; no other file is read."""
    with _bounded(model.path):
        gan = pruned(build_gan(model.about))
    checkpoint.load_served(model.path, gan)
    return gan.eval().requires_grad_(False)


@contextmanager
def _bounded(path: Path) -> Iterator[None]:
    """Limit the networks built in the block to a size that the file can plausibly describe."""
    most, made = max(LEAST, RATIO * path.stat().st_size), [0, 0]

    def register(_module: Any, _name: str, parameter: Any) -> None:
        made[0] += parameter.nbytes
        made[1] += 1
        if made[0] > most or made[1] > MOST_TENSORS:
            raise ValueError(f"they describe networks of more than {made[0]:,} bytes, but the file is much smaller")

    hook = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        hook.remove()


def kind_of(about: About) -> type[GAN[Any]]:
    """Return the class that a checkpoint names; code in a .py file is run only if the user trusts it."""
    if about.variant.endswith(".py") or about.source:
        check_trusted(about)
    return registry.load(about.variant)
