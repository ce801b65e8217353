"""The default suite in a process of its own, and what it counted."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def counts(name: str, python: str, words: Sequence[str] = (), env: Mapping[str, str] | None = None) -> bool:
    """Run pytest, print what failed and one line of counts; say whether nothing failed."""
    command = ["nice", "-n", "10", python, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(env or {})
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines() or [f"nothing came of it: exit code {done.returncode}"]
    for line in lines[:-1]:
        if line.startswith(("FAILED", "ERROR")):
            print(f"{name}: {line}")
    print(f"{name}: {lines[-1]}", flush=True)
    return done.returncode == 0
