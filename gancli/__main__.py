"""`python -m gancli`, which is also what torchrun starts."""

import os
import sys


def _forget_the_current_folder() -> None:
    """Remove the current folder, which `-m` adds, from the path: a typer.py in it must not be imported."""
    try:
        here = os.getcwd()
    except OSError:  # the current folder was removed
        here = ""
    if not sys.flags.safe_path and sys.path[0] in ("", here):
        del sys.path[0]


_forget_the_current_folder()

from gancli.cli.main import main  # noqa: E402

main()
