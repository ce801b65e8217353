"""Compare the quality of generated images with and without each speed option, with the same data and seeds.

    python tests/dev/bench/quality.py OUT [--seeds 3] [--kimg 60]

Train `gan` on the digits for each setting and seed, and score the averaged weights with `--extractor local`. Store the
scores in docs/benchmarks.json, and write the table of docs/benchmarks.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from report import KEPT, PAGE, fill, line

SETTINGS: dict[str, list[str]] = {
    "fp32, one process": [],
    "bf16": ["--precision", "bf16"],
    "4 micro-batches": ["--accumulate", "4"],
    "terms compiled": ["--compile", "on"],
    "two processes": [],
}
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def train(name: str, out: Path, seed: int, kimg: str) -> Path:
    """Train a run unless it exists."""
    run = out / f"{name.replace(' ', '-')}-{seed}"
    launcher = TORCHRUN if name == "two processes" else []
    if not (run / "checkpoints").exists():
        options = ["--kimg", kimg, "--seed", str(seed), "--out", str(run), "--quiet", "--precision", "fp32"]
        options += SETTINGS[name]
        subprocess.run([sys.executable, *launcher, "-m", "gancli", "train", "gan", *options], check=True)
    return run


def scores(runs: list[Path]) -> list[float]:
    """Score all runs with one command."""
    command = [sys.executable, "-m", "gancli", "eval", *map(str, runs), "--data", "digits", "--extractor", "local"]
    found = subprocess.run(
        [*command, "--metrics", "fid", "-n", "1797", "--json"], stdout=subprocess.PIPE, text=True, check=True
    )
    return [next(iter(model["metrics"].values())) for model in json.loads(found.stdout)["models"]]


def table(found: dict[str, Any]) -> str:
    """Return a table with one row per setting."""
    rows = [line(["", "local Frechet distance of each seed", "mean"]), line(["---"] * 3)]
    for name, scores in found["scores"].items():
        rows.append(line([name, ", ".join(f"{s:.0f}" for s in scores), f"{statistics.mean(scores):.0f}"]))
    return "\n".join([*rows, "", f"`gan` on the digits, {found['kimg']} kimg, 1,797 images per score. Not FID."])


def main() -> None:
    """Train, score, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kimg", default="60")
    parser.add_argument("--settings", nargs="*", choices=list(SETTINGS))
    given = parser.parse_args()
    names = given.settings or list(SETTINGS)
    found = scores([train(name, given.out, seed, given.kimg) for name in names for seed in range(given.seeds)])
    by_name = {name: found[i * given.seeds : (i + 1) * given.seeds] for i, name in enumerate(names)}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept["quality"] = {"kimg": given.kimg, "scores": by_name}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(fill(PAGE.read_text(), "quality", table(kept["quality"])))


if __name__ == "__main__":
    main()
