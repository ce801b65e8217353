"""Variants in the user's own .py files: a checkpoint may load one only if the user has trusted it before."""

from gancli import registry
from gancli.checkpoints.about import About
from gancli.errors import UserError
from gancli.system.untrusted import terminal
from gancli.system.untrusted import trusted_code as trusting
from gancli.system.untrusted.door import reason


def check_trusted(about: About) -> None:
    """Raise UserError if the user does not trust the checkpoint's code."""
    if not about.variant.endswith(".py"):
        raise UserError(
            f"this checkpoint was trained with a .py file of its own, but it names {about.variant}, which is built in"
        )
    trusting.check(trusting.read(registry.source(about.variant)), about.source)


def trust(variant: str) -> None:
    """Record that the user trusts a .py file in its current version, so that its checkpoints can load it."""
    if not variant.endswith(".py"):
        return
    try:
        trusting.allow(trusting.read(registry.source(variant)))
    except (OSError, UserError) as error:  # a full, read-only or missing home directory must not stop training
        terminal.warn(f"cannot record that you trust {variant} ({reason(error)}): its checkpoints will ask")


def source_hash(variant: str) -> str:
    """Return the sha256 of a variant that is a .py file of the user; an empty string for all others."""
    return trusting.read(registry.source(variant)).sha256 if variant.endswith(".py") else ""
