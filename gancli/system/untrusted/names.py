"""Names of files, as users and the files of others write them."""

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Put the home folder in the place of a leading ~; ~name of an unknown user stays, as in a shell."""
    return Path(os.path.expanduser(path))  # that of pathlib raises RuntimeError
