"""What tests of `gancli eval` share: folders of images, and the report that is printed."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import Cli


def blocks(folder: Path, count: int, seed: int, size: tuple[int, int] = (16, 16), dark: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8) // dark
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:03d}.png")
    return folder


def report(cli: Cli, *arguments: object) -> dict:
    result = cli("eval", *arguments, "--extractor", "local", "--json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def labelled(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        blocks(folder / name, 20, seed, dark=seed + 1)
    return folder
