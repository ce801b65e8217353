"""Time `gancli explore`: how long a picture takes from the page's request to its image, through HTTP.

    python tests/dev/bench/explore.py [--requests 50] [--size 64] [--preset paper] [dcgan rpgan stylegan2 …]

Every variant gets random weights and a preset's settings at that size, on as many threads as torch takes by itself.
Print a row each: medians in milliseconds of new seeds, of moved sliders, of frames of a walk, and of a grid of 9; and
in brackets the time that they take of all cores, which says more on a busy machine.
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About
from gancli.checkpoints.ema import EMA
from gancli.data.spec import DataSpec
from gancli.exploring.explore import site_of
from gancli.exploring.server import LocalServer

Times = tuple[float, float]  # milliseconds: elapsed, and of all cores
Ask = Callable[[Mapping[str, Any]], Times]
VARIANTS = ("dcgan", "rpgan", "acgan", "stylegan2", "biggan", "r3gan")


def untrained(variant: str, size: int, preset: str, folder: Path) -> Path:
    """Write a checkpoint with random weights."""
    kind = registry.load(variant)
    spec = DataSpec(3, size, size, tuple("abcdefghij"))
    hp = kind.hparams(**(kind.paper(spec, kind.hparams().batch) if preset == "paper" else kind.preset(spec)))
    path = folder / f"{variant}.safetensors"
    about = About(variant, vars(hp), vars(spec), {"step": 0, "images": 0, "total": 0}, {}, {})
    checkpoint.save_served(path, about, EMA(kind(hp, spec)))
    return path


@contextmanager
def served(path: Path) -> Iterator[Ask]:
    """Serve a model, and yield a function that times one view."""
    server = LocalServer(site_of(str(path), "cpu", path.parent)[0])
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()

    def ask(view: Mapping[str, Any]) -> Times:
        begun, busy = time.perf_counter(), time.process_time()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/{server.site.token}/image", json.dumps(view), headers)
        answer = json.loads(connection.getresponse().read())
        assert "image" in answer, answer
        return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - busy)

    yield ask
    server.shutdown()
    server.server_close()


def views(i: int) -> dict[str, dict[str, Any]]:
    """Return the views of one round, none of which was asked for before."""
    amount = i % 97 / 50
    moved = {"axes": [[0, amount]], "directions": [[1, amount]]}
    return {
        "seed": {"view": "sample", "spot": {"seed": i}},
        "slider": {"view": "sample", "spot": {"seed": 0, **moved}},
        "walk": {"view": "frame", "pins": [{"seed": 0}, {"seed": 1, **moved}], "frames": 60, "at": i % 60},
        "grid of 9": {"view": "sheet", "spot": {"seed": 10**6 + 9 * i}, "side": 3},
    }


def median(times: Iterable[Times]) -> str:
    """Format the median of the times elapsed, and of those of all cores."""
    elapsed, busy = (statistics.median(column) for column in zip(*times))
    return f"{elapsed:.0f} ({busy:.0f})"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", nargs="*", default=VARIANTS)
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--preset", choices=("quick", "paper"), default="paper")
    asked = parser.parse_args()

    names = list(views(0))
    print(f"{torch.get_num_threads()} threads on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"| {asked.size} px, ms | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}")
    with tempfile.TemporaryDirectory() as folder:
        for variant in asked.variants:
            with served(untrained(variant, asked.size, asked.preset, Path(folder))) as ask:
                for name in names:
                    ask(views(10**5)[name])  # directions are found once
                cells = [median(ask(views(i)[name]) for i in range(asked.requests)) for name in names]
            print(f"| `{variant}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
