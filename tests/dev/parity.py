"""Choose what tests need of a folder of parity fixtures: python -m tests.dev.parity FOLDER NAME…

A fixture is a file of weights in its published container (with random weights), an .npz of inputs and of what the
authors' code gives for them, and its entry in index.json, which says how far that code in float32 is from float64.
Copies go to tests/fixtures/parity, with one index of their own.
"""

import argparse
import json
import shutil
from pathlib import Path

HERE = Path(__file__).parents[1] / "fixtures" / "parity"
KEPT = ("npz", "family", "written_by", "config", "expected_is", "f32_vs_f64_maxabs", "notes", "sha256")


def main() -> None:
    """Copy the fixtures, and what a test needs to know of each."""
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("names", nargs="+")
    given = options.parse_args()
    HERE.mkdir(parents=True, exist_ok=True)
    known = {entry["file"]: entry for entry in json.loads((given.folder / "index.json").read_text())["fixtures"]}
    index = HERE / "index.json"
    held = json.loads(index.read_text()) if index.exists() else {}
    for name in given.names:
        entry = known[name]
        for file in (name, entry["npz"], *filter(None, [entry["config"].get("config_json")])):
            shutil.copyfile(given.folder / file, HERE / file)
        held[name] = {key: entry[key] for key in KEPT}
    index.write_text(json.dumps(dict(sorted(held.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
