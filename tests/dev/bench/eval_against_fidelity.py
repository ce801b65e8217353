"""Time `gancli eval` and torch-fidelity's `fidelity`: whole processes, in alternation.

    python tests/dev/bench/eval_against_fidelity.py --fake DIR --real DIR --weights FILE.pth \
        [--rounds 1] [--fast] [--best]

Both read the same two folders, with the same weights of Inception (a state dict; random weights are enough, see
`random_weights` in tests/evaluation/test_inception.py). Print medians of time and peak memory, FID, IS and ratios.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

FID = re.compile(r"(?:frechet_inception_distance|fid)\W+([\d.e+-]+)")
IS = re.compile(r"(?:inception_score_mean|is)\W+([\d.e+-]+)")


@dataclass(frozen=True)
class Run:
    """The time, memory and scores of one process."""

    seconds: float
    gib: float
    fid: float
    inception_score: float


def timed(command: list[str], cache: Path) -> Run:
    """Run one process to its end. Raise SystemExit with its errors if it fails."""
    words = ["/usr/bin/env", "time", "-f", "%M kB", *command]
    begun = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"GANCLI_CACHE": str(cache)})
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    kib = int(re.findall(r"(\d+) kB", done.stderr)[-1])
    fid, score = (float(pattern.findall(done.stdout)[0]) for pattern in (FID, IS))
    return Run(seconds, kib / 2**20, fid, score)


def main() -> None:
    """Run both in alternation, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fake", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--fast", action="store_true", help="also time gancli eval --fast (bf16)")
    parser.add_argument("--best", action="store_true", help="skip fidelity's default batch size of 64")
    asked = parser.parse_args()

    folder = Path(sys.executable).parent
    theirs = [str(folder / "fidelity"), "--fid", "--isc", "--cpu", "--input1", str(asked.fake), "--input2"]
    theirs += [str(asked.real), "--feature-extractor-weights-path", str(asked.weights), "--json", "--silent"]
    ours = [sys.executable, "-m", "gancli", "eval", str(asked.fake), "--data", str(asked.real)]
    ours += ["--metrics", "fid,is", "--weights", str(asked.weights), "--json"]
    runs: dict[str, list[Run]] = defaultdict(list)
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory() as empty:
            cache = Path(empty)
            if not asked.best:
                runs["fidelity"].append(timed(theirs, cache))
            runs["gancli"].append(timed(ours, cache))
            runs["gancli, real features cached"].append(timed(ours, cache))
            runs["fidelity --batch-size 8"].append(timed([*theirs, "--batch-size", "8"], cache))
            if asked.fast:
                runs["gancli --fast"].append(timed([*ours, "--fast"], cache))
    print("| | seconds | times faster | peak GiB | FID | IS |\n|---|---|---|---|---|---|")
    base = statistics.median(run.seconds for run in runs["fidelity --batch-size 8" if asked.best else "fidelity"])
    for name, found in runs.items():
        seconds, gib = (statistics.median(getattr(run, key) for run in found) for key in ("seconds", "gib"))
        scores = f"{found[-1].fid:.8g} | {found[-1].inception_score:.8g}"
        print(f"| {name} | {seconds:.1f} | {base / seconds:.2f} | {gib:.2f} | {scores} |")
    print(json.dumps({name: [run.seconds for run in found] for name, found in runs.items()}), file=sys.stderr)


if __name__ == "__main__":
    main()
