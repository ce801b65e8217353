"""What a number or a run was made with."""

import platform

import torch

import gancli


def versions() -> dict[str, str]:
    """Name the programs by which results may differ."""
    return {"gancli": gancli.__version__, "torch": torch.__version__, "python": platform.python_version()}
