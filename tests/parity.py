"""Fixtures of parity: weights in their published containers, inputs, and what the authors' code gives for them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gancli.system.untrusted import torch_files

FOLDER = Path(__file__).parent / "fixtures" / "parity"


@dataclass(frozen=True)
class Fixture:
    """One file of weights, what its authors' code was given, and what that gave."""

    file: Path
    config: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    float32: dict[str, float]  # how far the authors' code is from itself in float64

    def weights(self) -> Any:
        """What the file holds; no code in it is run."""
        return torch_files.load(self.file)

    def tensor(self, name: str) -> Tensor:
        """An input or an output."""
        return torch.from_numpy(self.arrays[name])

    def limit(self, output: str) -> float:
        """How far a faithful network may be off: some times what rounding does to the authors' own."""
        return max(1e-4 * max(1.0, float(np.abs(self.arrays[output]).max())), 10 * self.float32[output])

    def off(self, output: str, found: NDArray[Any]) -> float:
        """The largest difference from an expected output."""
        assert found.shape == self.arrays[output].shape
        return float(np.abs(found - self.arrays[output]).max())

    def gives(self, output: str, found: Tensor) -> bool:
        """Whether the first of the images found are the authors', of which some outputs hold only a few."""
        return self.off(output, found[: len(self.arrays[output])].numpy()) <= self.limit(output)


def fixture(file: str) -> Fixture:
    """Read a fixture."""
    about = json.loads((FOLDER / "index.json").read_text())[file]
    with np.load(FOLDER / about["npz"], allow_pickle=False) as arrays:
        return Fixture(FOLDER / file, about["config"], dict(arrays), about["f32_vs_f64_maxabs"])
