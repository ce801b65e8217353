"""Run the default suite in a separate process and count its results."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def counts(name: str, python: str, words: Sequence[str] = (), env: Mapping[str, str] | None = None) -> bool:
    """Run pytest; print failures and one line of counts, and the rest on stderr. Return whether all tests passed."""
    command = ["nice", "-n", "10", python, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(env or {})
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as suite:
        assert suite.stdout is not None
        lines = ["pytest printed nothing"]
        for line in suite.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line.rstrip())
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            print(f"{name}: {line}")
    print(f"{name}: {lines[-1]}", flush=True)
    return suite.returncode == 0
