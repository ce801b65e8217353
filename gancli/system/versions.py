"""The versions with which a score or a run was produced."""

import platform

import torch

import gancli


def versions() -> dict[str, str]:
    """Return the versions of the programs that can change results."""
    return {"gancli": gancli.__version__, "torch": torch.__version__, "python": platform.python_version()}
