"""Write the folders of PNGs that the benchmarks train on: built-in shapes.

    python tests/dev/bench/pictures_of.py OUT

OUT/faces64 gets 10,000 images of 64 pixels, OUT/small32 10,000 of 32, OUT/domains128/A and B 500 each of 128.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from gancli.data.synthetic import shapes


def write(folder: Path, count: int, side: int, preset: str, first: int = 0) -> None:
    """Render `count` images and save each."""
    folder.mkdir(parents=True, exist_ok=True)
    made = shapes.PRESETS[preset]
    images = shapes.render(made, shapes.factors(made, shapes.SEED, np.arange(first, first + count)), side)
    with ThreadPoolExecutor(2) as pool:
        for i, image in enumerate(images):
            pool.submit(Image.fromarray(image.transpose(1, 2, 0)).save, folder / f"{i:05d}.png")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    write(out / "faces64", 10_000, 64, "shapes")
    write(out / "small32", 10_000, 32, "shapes")
    write(out / "domains128" / "A", 500, 128, "shapes")
    write(out / "domains128" / "B", 500, 128, "shapes-easy")
