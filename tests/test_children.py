"""What tests start ends with them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import children

FAMILY = (  # a process that waits for one of its own, in another session, as torchrun does with its workers
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], start_new_session=True)\n"
    "print(child.pid, flush=True)\n"
    "child.wait()"
)


def lives(pid: int) -> bool:
    """Whether a process runs: one that has ended, and waits for its parent to ask, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not lives(pid)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds grandchildren in /proc")
@pytest.mark.parametrize("how", ["its time is over", "its test ends"])
def test_a_child_ends_with_all_that_it_has_started(tmp_path: Path, how: str) -> None:
    told = tmp_path / "told"
    with told.open("w") as file:
        if how == "its time is over":
            with pytest.raises(subprocess.TimeoutExpired):
                children.run([sys.executable, "-c", FAMILY], timeout=2, stdout=file)
        else:
            process = children.start([sys.executable, "-c", FAMILY], stdout=file)
            while not told.read_text().endswith("\n"):
                time.sleep(0.02)
            assert process.poll() is None
            children.end_all()
    assert gone(int(told.read_text()))


def test_what_a_child_said_and_its_exit_code_come_back() -> None:
    done = children.run([sys.executable, "-c", "import sys; print('out'); sys.exit('err')"])
    assert (done.returncode, done.stdout, done.stderr) == (1, "out\n", "err\n")
    with pytest.raises(subprocess.CalledProcessError):
        children.run([sys.executable, "-c", "import sys; sys.exit(3)"], check=True)


def test_tests_start_processes_in_no_other_way() -> None:
    own = {Path(__file__).name, "children.py"}
    tests = [path for path in Path(__file__).parent.rglob("test_*.py") if path.name not in own]
    assert not [
        path.name for path in tests if "subprocess.run(" in path.read_text() or "subprocess.Popen(" in path.read_text()
    ]
