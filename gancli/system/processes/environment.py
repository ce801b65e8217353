"""Set environment variables temporarily."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# makes new Python processes import nothing from the current folder
SAFE_PATH = {"PYTHONSAFEPATH": "1"}


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables while the block runs; processes started after it do not inherit them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
