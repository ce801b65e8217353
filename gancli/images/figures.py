"""Make matplotlib figures that look the same for every user: no settings file is read, no text is interpreted.

matplotlib always looks for its settings in the current folder first.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gancli.system import cache
from gancli.system.processes.environment import variables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SETTINGS = "matplotlibrc"


@contextmanager
def figure(width: float, height: float) -> Iterator["Figure"]:
    """Yield a figure of the given size in inches; draw on it and save it before the block ends.

    Draw text that comes from a file with `parse_math=False`.
    """
    matplotlib = _matplotlib()  # takes half a second; pyplot, which keeps figures in memory, is not needed
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        from matplotlib.figure import Figure

        yield Figure(figsize=(width, height), layout="constrained")


def _matplotlib() -> Any:
    """Import matplotlib, with its font cache in gancli's cache."""
    with variables({"MPLCONFIGDIR": str(cache.root() / "matplotlib"), "MATPLOTLIBRC": os.devnull}), _no_settings():
        importlib.import_module("matplotlib.figure")
        return importlib.import_module("matplotlib")


@contextmanager
def _no_settings() -> Iterator[None]:
    """Hide ./matplotlibrc, which could even be a pipe, from matplotlib."""
    exists = os.path.exists
    os.path.exists = lambda path: path != SETTINGS and exists(path)
    try:
        yield
    finally:
        os.path.exists = exists
