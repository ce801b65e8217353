"""Train variants with their quick presets, as a user would, and write the table of scores.

    python -m tests.dev.quick [NAME…] [--seeds 3] [--threads 2] [--try "OPTIONS"]

Scores are stored in docs/quick.json and shown in the table of docs/quick.md. With --try, other settings are tried:
their scores are only printed. Nothing else should run on the machine, because seconds are wall time.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from gancli import registry

ROOT = Path(__file__).parents[2]
KEPT, PAGE = ROOT / "docs" / "quick.json", ROOT / "docs" / "quick.md"
BEGIN, END = "<!-- table: written by tests/dev/quick.py -->", "<!-- end of table -->"
NAMES = (
    "dcgan", "lsgan", "rpgan", "ragan", "sngan", "wgan-gp", "dragan", "fgan", "improved", "sgan", "cgan", "acgan",
    "wgan", "ebgan",
)  # fmt: skip
SCORES = ("valid_share", "mode_coverage", "mode_kl")


def trained(name: str, seed: int, threads: int, options: str) -> dict[str, Any]:
    """Train a variant on the built-in shapes, and return the scores at the end of the run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gancli", "train", name, "--data", "shapes-easy", "--seed", str(seed)]
        command += [*shlex.split(options), "--out", f"{folder}/run", "--json", "--quiet"]
        env = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
        precision = json.loads(Path(folder, "run", "run.json").read_text())["precision"]
    said = json.loads(done.stdout.splitlines()[-1])
    scores = {score: said["metrics"][score] for score in SCORES}
    about = {"seconds": round(said["seconds"]), "kimg": said["images"] / 1000, "precision": precision}
    return {"name": name, "seed": seed, **scores, **about, "threads": threads, "cpu": cpu()}


def cpu() -> str:
    """Return the name of the CPU."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table with one row per variant: the median over seeds, and each seed in brackets."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_name[row["name"]].append(row)
    lines = ["| variant | valid share | mode coverage | kimg | seconds |", "| --- | --- | --- | --- | --- |"]
    for name in sorted(by_name):
        runs = sorted(by_name[name], key=lambda row: row["seed"])
        shown = [f"{median(r[s] for r in runs):.3f} ({', '.join(f'{r[s]:.3f}' for r in runs)})" for s in SCORES[:2]]
        seconds = ", ".join(str(r["seconds"]) for r in runs)
        lines.append(f"| {name} | {shown[0]} | {shown[1]} | {runs[0]['kimg']:g} | {seconds} |")
    return "\n".join(lines)


def keep(row: dict[str, Any]) -> None:
    """Write a run to the table; it replaces the same variant and seed."""
    rows = json.loads(KEPT.read_text()) if KEPT.exists() else []
    rows = [old for old in rows if (old["name"], old["seed"]) != (row["name"], row["seed"])] + [row]
    rows.sort(key=lambda row: (row["name"], row["seed"]))
    KEPT.write_text(json.dumps(rows, indent=1) + "\n")
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table(rows)}\n{END}{rest.partition(END)[2]}")


def main() -> None:
    """Train the named variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*registry.names(), []])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--try", dest="tried", help="options of gancli train to try")
    asked = parser.parse_args()
    for name in asked.names or NAMES:
        for seed in range(asked.seeds):
            row = trained(name, seed, asked.threads, asked.tried or "")
            print(json.dumps(row), flush=True)
            if asked.tried is None:
                keep(row)


if __name__ == "__main__":
    main()
