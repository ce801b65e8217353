"""The default suite on another Python and other releases, in a virtual environment outside of the repository.

    python -m tests.dev.versions PYTHON [REQUIREMENT…] [--venv FOLDER]
    python -m tests.dev.versions python3.11 'torch==2.9.*' 'torchvision==0.24.*'    # the oldest that pyproject allows
    python -m tests.dev.versions python3.13                                         # the newest that pip brings

Prints the versions and a line of counts. An environment takes some 6 GB; --venv keeps one, and takes it if it is there.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.dev.suite import ROOT, counts

SAY = (
    "import platform, torch, torchvision\n"
    "print('Python', platform.python_version(), 'torch', torch.__version__, 'torchvision', torchvision.__version__)"
)


def run_in(venv: Path, python: str, requirements: list[str]) -> bool:
    """Make the environment, if it is not there, and run the suite in it."""
    own = venv / "bin" / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", venv], check=True)
    subprocess.run([own, "-m", "pip", "install", "-q", *requirements, "-e", f"{ROOT}[dev]"], check=True)
    said = subprocess.run([own, "-c", SAY], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return counts(said, str(own))


def main() -> int:
    """Run it where asked, or in a folder that goes again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python")
    parser.add_argument("requirements", nargs="*")
    parser.add_argument("--venv", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return not run_in(asked.venv or Path(folder) / "venv", asked.python, asked.requirements)


if __name__ == "__main__":
    sys.exit(main())
