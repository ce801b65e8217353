"""Measure the seams of tiles in an image of 3000 x 2000 pixels, translated by a residual generator.

    python tests/dev/bench/seams.py [--tile 1024] [--width 16] [--blocks 9] [--out seams.png]

Compare the tiled translation with one in a single piece, with the same statistics of the instance norms: the largest
and the mean difference within 8 pixels of a tile's edge, in grey levels of 255. The control uses tiles that neither
overlap nor share statistics. --out writes the control and the tiled translation side by side.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.images.pixels import to_picture, to_pixels
from gancli.inference.translation import tiles
from gancli.nets.resnet_translator import DOWN, ResnetTranslator

HEIGHT, WIDTH = 2000, 3000
MULTIPLE = 1 << DOWN
NEAR = 8  # pixels
LEVELS = 127.5  # grey levels per unit, of values in [-1, 1]


def picture() -> Tensor:
    """Return an image without straight lines or similar tiles: hills of every size, with changing brightness."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    hills = [np.zeros_like(x)] * 3
    for octave in range(8):
        k = 2.0**octave * 3
        bent = np.sin(k * x + 2 * np.sin(k * 0.7 * y)) * np.cos(k * 0.8 * y + 2 * np.sin(k * 0.6 * x))
        hills = [h + np.sin(bent * 2 + c) / 1.6**octave for c, h in enumerate(hills)]
    light = np.linspace(0.2, 1, WIDTH) * np.linspace(1, 0.4, HEIGHT)[:, None]
    return torch.from_numpy((np.stack(hills) / 2.2 + 1) * light - 1).clamp(-1, 1)[None].float()


def network(width: int, blocks: int) -> ResnetTranslator:
    """Return an untrained network; its last layer is scaled up, so that its output is not grey."""
    torch.manual_seed(0)
    net = ResnetTranslator(width, blocks, DataSpec(3, 256, 256)).eval()
    net.decoder.head.weight.data.mul_(4)
    return net


def edges(height: int, width: int, largest: int, overlap: int) -> Tensor:
    """Return which pixels are within NEAR pixels of an edge of a tile: bool (height, width)."""
    near = torch.zeros(height, width, dtype=torch.bool)
    for tile in tiles.cut(height, width, MULTIPLE, largest, overlap):
        for row in {tile.top, tile.top + tile.height} - {0, height}:
            near[max(row - NEAR, 0) : row + NEAR] = True
        for column in {tile.left, tile.left + tile.width} - {0, width}:
            near[:, max(column - NEAR, 0) : column + NEAR] = True
    return near


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"tile": 1024, "width": 16, "blocks": 9}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    net, image, side = network(asked.width, asked.blocks), picture(), asked.tile
    with tiles.sharing(net):
        net(tiles.sample(image, MULTIPLE, side))
        reach = tiles.reach(net, image, MULTIPLE, side)
        together = net(image)
    seam = tiles.fitted(reach, MULTIPLE, side)
    began = time.perf_counter()
    tiled = tiles.apply(net, net, image, MULTIPLE, side)
    seconds = time.perf_counter() - began
    gap = (tiled - together).abs().amax((0, 1)) * LEVELS
    near = edges(HEIGHT, WIDTH, side, seam.overlap)
    alone = torch.cat([torch.cat([net(part) for part in row.split(side, 3)], 3) for row in image.split(side, 2)], 2)
    lines = edges(HEIGHT, WIDTH, side, 0)
    wrong = (alone - together).abs().amax((0, 1)) * LEVELS
    found: dict[str, Any] = {"reach": reach, "overlap": seam.overlap, "seconds": round(seconds, 1)}
    for name, values in {"at tile edges": gap[near], "control at tile edges": wrong[lines]}.items():
        found[name] = {"max": round(float(values.max()), 4), "mean": round(float(values.mean()), 5)}
    print(json.dumps({name: value for name, value in vars(asked).items() if name != "out"} | found))
    if asked.out:
        parts = [
            to_picture(to_pixels(drawn)[0]).resize((600, 400), Image.Resampling.LANCZOS) for drawn in (alone, tiled)
        ]
        strip = Image.new("RGB", (1200, 400))
        for i, part in enumerate(parts):
            strip.paste(part, (600 * i, 0))
        strip.save(asked.out)


if __name__ == "__main__":
    main()
