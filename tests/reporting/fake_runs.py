"""Run folders as training leaves them, written without training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HPARAMS = {"batch": 16, "kimg": 4.0, "lr": 0.001, "width": 8}


def ticks(count: int = 40, seed: int = 0, **more: float | None) -> list[dict[str, Any]]:
    """Means of a run of 4 kimg, and a metric now and then."""
    rng, found = np.random.default_rng(seed), []
    for i in range(count):
        images = 4000 * (i + 1) // count
        place = {"step": images // 16, "images": images, "seconds": round(0.01 * images, 3)}
        loss = {"D/adversarial": 1.3 + float(rng.normal()) / 9, "G/adversarial": 0.7 + float(rng.normal()) / 9}
        found.append({**place, "images_per_second": round(90 + float(rng.random()) * 20, 2), **loss, **more})
        if i % 10 == 9:
            found.append({**place, "valid_share": float(rng.random()), "mode_kl": 3 - i / 20})
    return found


def run_of(
    folder: Path,
    lines: list[dict[str, Any]] | None = None,
    *,
    grids: int = 4,
    side: int = 34,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run; `about` replaces fields of run.json, where None leaves one out."""
    (folder / "samples").mkdir(parents=True)
    said = {
        "variant": "dcgan",
        "hparams": HPARAMS,
        "data": "shapes-easy",
        "digest": "ab" * 32,
        "folder": "/somewhere",
        "spec": {"channels": 3, "height": 16, "width": 16, "classes": [], "domains": []},
        "seed": 0,
        "device": "cpu",
        "precision": "fp32",
        "processes": 1,
        "versions": {"gancli": "0.1.0"},
        "options": {"steps": 250, "preset": "auto", "metrics": "auto"},
        "suited": {"lr": 0.001},
        **(about or {}),
    }
    (folder / "run.json").write_text(json.dumps({name: value for name, value in said.items() if value is not None}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(t) + "\n" for t in (ticks() if lines is None else lines)))
    rng = np.random.default_rng(0)
    for i in range(grids):
        pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "samples" / f"{4000 * i // max(grids - 1, 1):09d}.png")
    return folder
