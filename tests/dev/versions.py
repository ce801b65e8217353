"""Run the default suite with another Python and other releases, in a virtual environment outside the repository.

    python -m tests.dev.versions PYTHON [REQUIREMENT…] [--venv FOLDER]
    python -m tests.dev.versions python3.11 'torch==2.9.*' 'torchvision==0.24.*'    # the oldest that pyproject allows
    python -m tests.dev.versions python3.13                                         # the newest that pip installs

Print the versions and one line of counts. An environment takes about 6 GB; --venv keeps it, or reuses an existing one.
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
    """Create the environment if it is missing, and run the suite in it."""
    own = venv / "bin" / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", venv], check=True)
    subprocess.run([own, "-m", "pip", "install", "-q", *requirements, "-e", f"{ROOT}[dev]"], check=True)
    said = subprocess.run([own, "-c", SAY], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return counts(said, str(own))


def main() -> int:
    """Run the suite in the given folder, or in a temporary one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python")
    parser.add_argument("requirements", nargs="*")
    parser.add_argument("--venv", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return not run_in(asked.venv or Path(folder) / "venv", asked.python, asked.requirements)


if __name__ == "__main__":
    sys.exit(main())
