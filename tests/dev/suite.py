"""The default suite in a process of its own, and what it counted."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def counts(name: str, python: str, words: Sequence[str] = (), env: Mapping[str, str] | None = None) -> bool:
    """Run pytest, print what failed and one line of counts, and all else to stderr; say whether nothing failed."""
    command = ["nice", "-n", "10", python, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(env or {})
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as suite:
        assert suite.stdout is not None
        lines = ["nothing came of it"]
        for line in suite.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line.rstrip())
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            print(f"{name}: {line}")
    print(f"{name}: {lines[-1]}", flush=True)
    return suite.returncode == 0
