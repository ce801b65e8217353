"""Figures of matplotlib that look the same for everybody: no settings file is read, and text is only text.

matplotlib looks for its settings in the current folder before anywhere else, and cannot be told not to.
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
    """Return a figure of the given size in inches, to be drawn on and saved before the block ends.

    Text that comes from a file is to be drawn with `parse_math=False`.
    """
    matplotlib = _matplotlib()  # takes half a second; and pyplot, which keeps figures, is not needed
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        from matplotlib.figure import Figure

        yield Figure(figsize=(width, height), layout="constrained")


def _matplotlib() -> Any:
    """Import matplotlib, with its cache of fonts in ours."""
    with variables({"MPLCONFIGDIR": str(cache.root() / "matplotlib"), "MATPLOTLIBRC": os.devnull}), _no_settings():
        importlib.import_module("matplotlib.figure")
        return importlib.import_module("matplotlib")


@contextmanager
def _no_settings() -> Iterator[None]:
    """Hide ./matplotlibrc, which could also be a pipe: nothing but matplotlib asks for it by that name."""
    exists = os.path.exists
    os.path.exists = lambda path: path != SETTINGS and exists(path)
    try:
        yield
    finally:
        os.path.exists = exists
