"""Load a GAN from a checkpoint, with a limit on memory that depends on the size of the file."""

from typing import Any

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About
from gancli.checkpoints.ema import pruned
from gancli.checkpoints.find import Model
from gancli.checkpoints.trust import check_trusted
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.system.untrusted.networks import UNFIT, bounded


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
    with bounded(model.path.stat().st_size):
        gan = pruned(build_gan(model.about))
    checkpoint.load_served(model.path, gan)
    return gan.eval().requires_grad_(False)


def kind_of(about: About) -> type[GAN[Any]]:
    """Return the class that a checkpoint names; code in a .py file is run only if the user trusts it."""
    if about.variant.endswith(".py") or about.source:
        check_trusted(about)
    return registry.load(about.variant)
