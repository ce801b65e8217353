"""Compare the speed of `gancli translate` with that of the bare network on batches in memory.

    python tests/dev/bench/translate_against_bare.py [--images 200] [--width 64] [--blocks 9] [--batch 8]
    python tests/dev/bench/translate_against_bare.py --enlarger --images 5 --blocks 23 --batch 1

Both run in one process, in alternation on a part of the images; `translate` also reads and writes PNG files. The
network is CycleGAN's or, with `--enlarger`, Real-ESRGAN's for scale 4. It is untrained, because its weights do not
change its speed.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from gancli.data.spec import DataSpec
from gancli.families.repainters import Enlarger
from gancli.inference.translation.jobs import TranslationRequest
from gancli.inference.translation.translate import translate

SIDE = 256


def write_pictures(folder: Path, count: int) -> None:
    """Write images of coloured waves and some noise, whose PNG files are as large as those of photos."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    for i in range(count):
        rng = np.random.default_rng(i)
        waves = np.stack([np.sin(rng.uniform(2, 30) * x + rng.uniform(2, 30) * y) for _ in range(3)], 2)
        pixels = 128 + 90 * waves + rng.normal(0, 9, waves.shape)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:04d}.png")


def save_model(path: Path, variant: str, asked: dict[str, Any]) -> None:
    kind = registry.load(variant)
    gan = kind(kind.hparams(**asked), DataSpec(3, SIDE, SIDE))
    about = checkpoint.About(variant, vars(gan.hp), vars(gan.spec), {"step": 0, "images": 0, "total": 0}, {}, {}, "")
    checkpoint.save(path, about, gan, {}, EMA(gan))


@torch.inference_mode()
def bare(gan: Any, images: torch.Tensor, batch: int) -> float:
    began = time.perf_counter()
    for part in images.split(batch):
        gan.G(part) if isinstance(gan, Enlarger) else gan.translate(part, "AB")
    return len(images) / (time.perf_counter() - began)


def command(model: Path, pictures: list[Path], out: Path) -> float:
    request = TranslationRequest(str(model), tuple(map(str, pictures)), out=out)
    began = time.perf_counter()
    done = translate(request, "cpu")
    assert len(done.written) == len(pictures)
    return len(pictures) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"images": 200, "width": 64, "blocks": 9, "batch": 8, "turns": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--enlarger", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pictures(folder, asked.images)
        if asked.enlarger:
            save_model(folder / "net.safetensors", "esrgan", {"features": asked.width, "blocks": asked.blocks})
        else:
            options = {"width": asked.width, "blocks": asked.blocks, "ema_kimg": 0}
            save_model(folder / "net.safetensors", "cyclegan", options)
        gan = load_model(find_model(str(folder / "net.safetensors")))
        pictures = sorted(folder.glob("*.png"))
        part = -(-len(pictures) // asked.turns)
        images = torch.rand(part, 3, SIDE, SIDE) * 2 - 1
        bare(gan, images[: asked.batch], asked.batch)
        speeds: dict[str, list[float]] = {"bare": [], "translate": []}
        for i in range(0, len(pictures), part):
            speeds["bare"].append(bare(gan, images[: len(pictures[i : i + part])], asked.batch))
            out = folder / f"out{i}"
            speeds["translate"].append(command(folder / "net.safetensors", pictures[i : i + part], out))
    median = {name: round(statistics.median(found), 3) for name, found in speeds.items()}
    median["ratio"] = round(median["translate"] / median["bare"], 3)
    load = round(os.getloadavg()[0], 1)
    print(json.dumps(vars(asked) | {"threads": torch.get_num_threads(), "load": load} | median))


if __name__ == "__main__":
    main()
