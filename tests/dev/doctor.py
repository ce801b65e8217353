"""Plant faults in real images and count what `gancli data` finds: python -m tests.dev.doctor FOLDER [OTHER].

FOLDER and OTHER are flat folders of unlike images; OTHER's are test images. What `gancli data` finds before anything is
planted is left out of the figures, and printed. 1 % of the images get each kind of fault.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.data import planted
from tests.data.planted import Planted

Faults = set[Planted]


def inspected(*words: object) -> tuple[Faults, float]:
    """Run `gancli data` and return the faults, and the seconds it took."""
    command = [sys.executable, "-m", "gancli", "data", *map(str, words), "--json"]
    began = time.monotonic()
    done: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert not any("gancli[data]" in line for line in done["not_checked"]), done["not_checked"]
    faults = {Planted(fault["kind"], frozenset(fault["files"])) for fault in done["faults"]}
    return faults, time.monotonic() - began


def report(name: str, wanted: list[Planted], found: Faults) -> None:
    """Print how many of the planted faults were found."""
    print(f"{name:<12}{len(wanted):>8}{sum(one in found for one in wanted):>8}", flush=True)
    for one in wanted:
        if one not in found:
            print(f"  missed: {one.kind} {sorted(one.files)}")


def single(folder: Path, seed: int) -> None:
    """Plant every kind of fault in one folder."""
    natural, _ = inspected(folder)
    print(f"{folder.name}: {len(list(folder.iterdir())):,} images, {len(natural)} faults before planting")
    for one in sorted(natural, key=lambda one: (one.kind, sorted(one.files))):
        print(f"  {one.kind}: {' = '.join(sorted(one.files))}")
    taken = {name for one in natural for name in one.files}
    free = [path for path in sorted(folder.iterdir()) if path.name not in taken]
    kinds = planted.plant(free, max(1, len(free) // 100), seed)
    found, seconds = inspected(folder)
    print(f"{'fault':<12}{'planted':>8}{'found':>8}   in {seconds:.1f} s")
    for name, wanted in kinds.items():
        report(name, wanted, found)
    wrong = found - natural - {one for wanted in kinds.values() for one in wanted}
    print(f"{'other finds':<12}{'':>8}{len(wrong):>8}  {sorted((one.kind, *sorted(one.files)) for one in wrong)}")
    print(f"lost of those before planting: {len(natural - found)}")


def leaks(folder: Path, other: Path, seed: int) -> None:
    """Copy training images into the test images."""
    before, _ = inspected(folder, "--test", other)
    taken = {name for one in before for name in one.files}
    free = [path for path in sorted(folder.iterdir()) if path.name not in taken]
    wanted = planted.leak(free, other, max(1, len(free) // 100), str(other), seed)
    found, seconds = inspected(folder, "--test", other)
    print(f"{'fault':<12}{'planted':>8}{'found':>8}   in {seconds:.1f} s")
    report("leak", wanted, found)
    wrong = found - before - set(wanted)
    print(f"{'other finds':<12}{'':>8}{len(wrong):>8}  {sorted((one.kind, *sorted(one.files)) for one in wrong)}")


def main() -> None:
    """Work on copies of the folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if given.other:
            train, test = (shutil.copytree(path, Path(place) / path.name) for path in (given.folder, given.other))
            leaks(train, test, given.seed)
        single(Path(shutil.copytree(given.folder, Path(place) / f"{given.folder.name}-planted")), given.seed)


if __name__ == "__main__":
    main()
