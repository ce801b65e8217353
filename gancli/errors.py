"""The failures of a command that are not bugs; the command line turns them into exit codes."""


class UserError(ValueError):
    """Wrong use or bad input: one line that names what was given, what is allowed and the option. Exit code 2."""


class Diverged(ArithmeticError):
    """Training stayed non-finite. Exit code 3."""


class BrokenVariant(ValueError):
    """An error in a variant of the user's own: one line that names file, line and member. Exit code 2."""


def missing(kind: str, given: str, known: list[str], otherwise: str = "") -> UserError:
    """Return the error for an unknown name: similar names, or else what to do; without that, all names."""
    from difflib import get_close_matches

    near = get_close_matches(given, known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else otherwise or f"choose from {', '.join(known)}"
    return UserError(f"no {kind} '{given}'; {hint}")
