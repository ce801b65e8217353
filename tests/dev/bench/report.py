"""Run the benchmarks of docs/benchmarks.md and write its tables.

    python tests/dev/bench/pictures_of.py DATA; python tests/dev/bench/report.py DATA [NAME…] [--fashion FOLDER]

Each benchmark runs `gancli bench` in a separate process. Results are stored in docs/benchmarks.json, from which the
tables are written; without names, only the tables are written again.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs"
KEPT, PAGE = DOCS / "benchmarks.json", DOCS / "benchmarks.md"

CASES: dict[str, list[str]] = {
    "dcgan-64": ["dcgan", "--data", "DATA/faces64", "--batch", "64", *("--against", "plain_dcgan.py"),
                 *("--against", "plain_dcgan.py:in_memory")],
    "dcgan-32": ["dcgan", "--data", "DATA/small32", "--batch", "64", "--width", "32"],
    "wgan-gp-32": ["wgan-gp", "--data", "DATA/small32", "--batch", "64", "--width", "64",
                   *("--against", "plain_wgan_gp.py")],
    "stylegan2-64": ["stylegan2", "--data", "DATA/faces64", "--batch", "32", "--preset", "paper", "--width", "64",
                     *("--channel-base", "2048", "--z-dim", "64", "--w-dim", "64"),
                     *("--against", "plain_stylegan2.py")],
    "r3gan-64": ["r3gan", "--data", "DATA/faces64", "--batch", "32", "--preset", "paper", "--width", "96",
                 *("--augment", "none", "--against", "plain_r3gan.py")],
    "cyclegan-128": ["cyclegan", "--data", "DATA/domains128", "--batch", "1", "--width", "64", "--blocks", "6",
                     *("--no-mirror", "--enlarge", "0"),
                     *("--against", "plain_cyclegan.py")],
    "gan-mlp": ["gan", "--data", "FASHION", "--batch", "64", "--width", "256", "--z-dim", "100", "--lr", "2e-4",
                *("--against", "plain_mlp.py")],
}  # fmt: skip


def command(name: str, data: str, fashion: str, extra: list[str]) -> list[str]:
    """Return the command line of a benchmark."""
    words = [w.replace("DATA", data).replace("FASHION", fashion) for w in CASES[name]]
    return ["bench", *(f"{HERE.relative_to(Path.cwd())}/{w}" if w.startswith("plain_") else w for w in words), *extra]


def table(report: dict[str, Any]) -> str:
    """Return a benchmark as a table: one row per program."""
    head = (
        "",
        "images/s: median (least to most)",
        "ms per step",
        "CPU ms per step",
        "memory, MiB",
        "ratio",
        "by CPU time",
    )
    rows = [line(head), line(["---"] * len(head))]
    for name, said in {f"gancli bench {report['variant']}": report, **report["against"]}.items():
        speed, ratios = said["images_per_second"], [said.get("ratio"), said.get("cpu_ratio")]
        spread = f"{speed['median']:,.1f} ({speed['min']:,.1f} to {speed['max']:,.1f})"
        times = f"{said['ms_per_step']:,.1f}", f"{said['cpu_ms_per_step']:,.1f}", f"{said['peak_memory_mib']:,}"
        rows.append(line([f"`{Path(name).name}`", spread, *times, *(f"**{r:.2f}**" if r else "" for r in ratios)]))
    return "\n".join([f"`gancli {' '.join(report['command'])}`", "", *rows, "", said_of(report)])


def line(cells: Sequence[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def said_of(report: dict[str, Any]) -> str:
    """Return the paragraph below a table."""
    stages, peaks = report["seconds_to_first_step"], report["peak_gflop_per_second"]
    return (
        f"{len(report['images_per_second']['windows'])} windows; {report['device']}, threads: {report['threads']}, "
        f"{report['precision']}, torch {report['versions']['torch']}. "
        f"{report['gflop_per_step']:,.1f} GFLOP per step at {report['gflop_per_second']:,.0f} GFLOP/s: "
        f"{report['share_of_peak']:.0%} ({report['cpu_share_of_peak']:.0%} by CPU time) of the best in this "
        f"run (matmul {peaks['matmul']:,.0f}, convolution "
        f"{peaks['convolution']:,.0f}). The loop's overhead {report['overhead']:.1%} ({report['cpu_overhead']:.1%} by "
        f"CPU time), waiting for data {report['data_wait']:.2%}. First step {stages['all']:.1f} s after the start, "
        f"{stages['imports']:.1f} s of them imports."
    )


def main() -> None:
    """Run the named benchmarks, and write all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=str)
    parser.add_argument("names", nargs="*", choices=[[], *CASES], default=[])
    parser.add_argument("--fashion", default="FASHION")
    parser.add_argument("--seconds", default="8")
    parser.add_argument("--windows", default="5")
    given = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name in given.names:
        words = command(name, given.data, given.fashion, ["--seconds", given.seconds, "--windows", given.windows])
        done = subprocess.run(
            [sys.executable, "-m", "gancli", *words, "--json"], stdout=subprocess.PIPE, text=True, check=True
        )
        shown = [word.replace(given.data, "DATA").replace(given.fashion, "FASHION") for word in words]
        kept[name] = json.loads(done.stdout) | {"command": shown}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    page = PAGE.read_text()
    for name in CASES.keys() & kept.keys():
        page = fill(page, name, table(kept[name]))
    PAGE.write_text(page)


def fill(page: str, name: str, text: str) -> str:
    """Replace the text between the marks of this name."""
    marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
    return re.sub(f"{marks[0]}.*?{marks[1]}", lambda _: f"{marks[0]}\n{text}\n{marks[1]}", page, flags=re.DOTALL)


if __name__ == "__main__":
    main()
