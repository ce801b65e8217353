"""Compare the training speed of `--precision auto` with fp32 and bf16.

    python -m tests.dev.precision [NAME…] [--seconds 2] [--windows 5] [--threads 2]

Time the whole loop, as `gancli bench` does. Windows of the three precisions alternate, so that other load on the
machine affects all of them. Exit with 1 if `auto` is more than 5 % slower than fp32.
"""

import argparse
import sys
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch

from gancli.benchmark import benchmark
from gancli.engine.timing import Window
from gancli.system.processes.process import tuned
from gancli.training.batch_size import with_batch
from gancli.training.options import BenchOptions
from gancli.training.output.display import Quiet
from gancli.training.output.live import display_for
from gancli.training.setup import open_data

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {  # name: variant, size, hyperparameters
    "dcgan": ("dcgan", "64", {"batch": 64}),
    "gan": ("gan", "28", {"batch": 64}),
    "wgan-gp": ("wgan-gp", "32", {"batch": 64, "width": 64}),
    "cyclegan": ("cyclegan", "128", {"batch": 1, "width": 64, "blocks": 6}),
}
PRECISIONS = ("auto", "fp32", "bf16")
ALLOWED = 0.95  # least speed, relative to fp32


def timed(name: str, seconds: float, windows: int) -> tuple[str, dict[str, list[Window]]]:
    """Time a case in every precision; also return what `auto` chose."""
    variant, size, values = CASES[name]
    runs, chosen = {}, ""
    with tuned():
        for precision in PRECISIONS:
            options = BenchOptions(size=size, precision=precision, seconds=seconds, windows=windows)  # type: ignore[arg-type]
            data = with_batch(open_data(variant, values, options, Quiet().decoded), options)
            training, choice = benchmark.prepared(data, options, Quiet().note)
            runs[precision] = benchmark.in_windows(training.advance, data)
            chosen = str(choice) if precision == "auto" else chosen
        note = display_for(quiet=False, json=True).note
        return chosen, benchmark.in_turns(runs, BenchOptions(seconds=seconds, windows=windows), note)


def speed(timings: Mapping[str, list[Window]], one: str, other: str) -> float:
    """Return how many times as fast one precision is as the other: the median of the ratios of CPU times."""
    each = [(window.cpu / window.steps for window in timings[precision]) for precision in (other, one)]
    return median(theirs / ours for theirs, ours in zip(*each))


def main() -> int:
    """Time the named cases, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="use 1 if other programs run at the same time"
    )
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    slow = []
    for name in asked.names or CASES:
        chosen, timings = timed(name, asked.seconds, asked.windows)
        ratio = speed(timings, "auto", "fp32")
        slow += [name] if ratio < ALLOWED else []
        print(
            f"{name:<10} auto {ratio:.2f}x fp32, bf16 {speed(timings, 'bf16', 'fp32'):.2f}x fp32: {chosen}", flush=True
        )
    print(f"slower than fp32 by more than 5 %: {', '.join(slow) or 'none'}")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
