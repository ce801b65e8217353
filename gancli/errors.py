"""The two ways a command fails that are nobody's bug; the command line turns them into exit codes."""


class UserError(ValueError):
    """Wrong use or bad input: one line that names what was given, what is allowed and the option. Exit code 2."""


class Diverged(ArithmeticError):
    """Training left the finite numbers for good. Exit code 3."""


def missing(kind: str, given: str, known: list[str]) -> UserError:
    """Say that there is no such name, and which near ones there are."""
    from difflib import get_close_matches

    near = get_close_matches(given, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    return UserError(f"no {kind} '{given}'; {hint}")
