"""Measure signatures over five seeds and write docs/signature.md: python -m tests.variants.signatures --kept FILE.

`--only sagan stylegan --seeds 3` measures some; rows without values in FILE stay as the page has them.
"""

import argparse
import hashlib
import inspect
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from tests.variants.signatures.table import Signature
from tests.variants.signatures.tables import SEEDS, SIGNATURES

PAGE = Path(__file__).parents[3] / "docs" / "signature.md"
BEGIN, END = "<!-- signatures: written by python -m tests.variants.signatures -->", "<!-- end of signatures -->"

Found = dict[str, tuple[float, float]]  # by run: the value, and the CPU seconds that it took


def key(one: Signature, seed: int, control: bool) -> str:
    """Return the name of a run, which changes with the source of its measure."""
    body = (
        "def " + inspect.getsource(one.measure).partition("def ")[2]
    )  # without the decorator, whose threshold may change
    text = hashlib.sha256(body.encode()).hexdigest()[:8]
    return f"{one.variant}: {one.what} ({text}), {'control' if control else 'good'} {seed}"


def measure_all(kept: Path, chosen: Sequence[Signature], seeds: Sequence[int]) -> None:
    """Measure what is missing in the file, seed by seed; store each value at once, so that it can be stopped."""
    for seed in seeds:
        for one in chosen:
            for control in (False, True):
                found: Found = json.loads(kept.read_text()) if kept.exists() else {}
                if (run := key(one, seed, control)) not in found:
                    start = time.process_time()
                    found[run] = one.measure(seed, control), round(time.process_time() - start, 1)
                    kept.write_text(json.dumps(found, indent=1))
                    print(run, *found[run], "" if one.good(found[run][0]) != control else "WRONG", flush=True)


def row(one: Signature, found: Found, before: Mapping[tuple[str, str], str]) -> str | None:
    """Return the table row of a signature: the one before if it was not measured, None if there was none."""
    runs = [[found[k] for seed in SEEDS if (k := key(one, seed, control)) in found] for control in (False, True)]
    if not any(runs):
        return before.get((one.variant, one.what))
    good, bad = ([value for value, _ in arm] for arm in runs)
    holds = all(map(one.good, good)) and not any(map(one.good, bad)) and good and bad
    seconds = [time for arm in runs for _, time in arm]
    bound = f"{'>=' if one.least else '<='} {one.threshold:g}"
    cells = one.variant, one.what, bound, spread(good), one.control, spread(bad), f"{max(seconds, default=0):.0f}"
    seeds = "" if len(good) == len(SEEDS) == len(bad) else f" (of {min(len(good), len(bad))})"
    return f"| {' | '.join(cells)} | {'yes' if holds else '**no**'}{seeds} |"


def spread(values: list[float]) -> str:
    """Return the range of the values."""
    return f"{min(values):.3g} … {max(values):.3g}" if values else "not run"


def rows_of(table: str) -> dict[tuple[str, str], str]:
    """Return the rows of a table by variant and what is measured."""
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    return {(cells[1].strip(), cells[2].strip()): line for line in rows if (cells := line.split("|"))}


def main() -> None:
    """Measure, and write the table between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, required=True, help="file for the values; a stopped run continues with it")
    parser.add_argument("--only", nargs="+", metavar="VARIANT", help="only the signatures of these variants")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds to measure")
    parser.add_argument("--page-only", action="store_true", help="only write the table, from the values in the file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not options.page_only:
        chosen = [one for one in SIGNATURES if not options.only or one.variant in options.only]
        measure_all(options.kept, chosen, SEEDS[: options.seeds])
    found = json.loads(options.kept.read_text())
    titles = (
        "variant",
        "what is measured",
        "must be",
        "found",
        "control",
        "found",
        "s per run",
        "holds (number of seeds, if not five)",
    )
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    before, tail = rest.split(END)
    rows = [row(one, found, rows_of(before)) for one in SIGNATURES]
    table = "\n".join([f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|", *filter(None, rows)])
    if missing := [f"`{one.variant}` ({one.what})" for one, line in zip(SIGNATURES, rows) if not line]:
        table += f"\n\nNot measured yet: {', '.join(missing)}."
    PAGE.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
