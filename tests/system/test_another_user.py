"""Installed where it may not write, run by a user without a home, on a machine without a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gancli
from tests import children
from tests.conftest import noise_images

NOBODY = "65534"
AS_NOBODY = [
    *("unshare", "--net", "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"),
    # the tests' Python may lie in another user's home: it is to be read there, and nothing to be written
    *("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"),
]


def can_be_nobody() -> bool:
    return shutil.which("setpriv") is not None and children.run([*AS_NOBODY, "true"]).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not can_be_nobody(), reason="becoming another user takes root")
def test_everything_works_for_a_stranger_with_nothing(tmp_path: Path) -> None:
    installed, work, data = tmp_path / "installed", tmp_path / "work", tmp_path / "data"
    shutil.copytree(Path(gancli.__file__).parent, installed / "gancli", ignore=shutil.ignore_patterns("__pycache__"))
    for name in "AB":
        noise_images(data / name, 8, (16, 16))
    work.mkdir()
    os.chown(work, int(NOBODY), int(NOBODY))
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*")}

    def call(*words: object, cwd: Path = work) -> subprocess.CompletedProcess[str]:
        environment = ["env", "-i", "PATH=/usr/bin:/bin", f"PYTHONPATH={installed}", f"TMPDIR={work}"]
        command = [*AS_NOBODY, *environment, sys.executable, "-m", "gancli", *map(str, words)]
        return children.run(command, cwd=cwd)

    def works(*words: object) -> None:
        done = call(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    small = ("--batch", 4, "--width", 4, "--steps", 5)
    works("train", "gan", "--data", data, "--out", "drawn", *small)
    works("train", "cyclegan", "--data", data, "--out", "turned", "--blocks", 1, *small)
    works("sample", "drawn", "-n", 4)
    works("translate", "turned", data / "A" / "000.png", "--out", "out.png")
    scored = call("eval", "drawn", "--data", data, "--extractor", "local", "--metrics", "fid", "-n", 16, "--json")
    assert scored.returncode == 0, scored.stderr
    for words in (("train", "gan", "--data", data, *small), ("sample", work / "drawn")):
        done = call(*words, cwd=data)  # a folder that may only be read
        assert done.returncode == 2
        assert "Permission denied" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    refused = call("translate", "horse2zebra", data / "A" / "000.png")  # wants the network
    assert refused.returncode == 2
    assert "cannot be fetched" in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in installed.rglob("*")} == before
    mine = {path.name for path in work.iterdir() if not path.name.startswith("torchinductor")}
    assert mine == {"drawn", "turned", "samples.png", "out.png"}
