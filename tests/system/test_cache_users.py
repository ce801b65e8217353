"""Several users have one cache: each reads what another wrote, and is stopped by nothing that is damaged."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gancli.system import cache
from tests import children
from tests.conftest import noise_images
from tests.data.sources import opened
from tests.system.cached import OPEN, entries, rows, shorter

NOBODY = 65534


# Python itself may be where only one user can read it: all is imported before the other one comes
AS_NOBODY = f"""
import os
from PIL import Image
from gancli.data.sources import open as sources
Image.init()
os.umask(0o022)
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
"""


def as_nobody(folder: Path) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", AS_NOBODY + OPEN, str(folder)]
    return children.run(words)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Data where all may reach them (pytest's own folders are their user's), and the cache beside them."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user takes root")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("GANCLI_CACHE", f"{folder}/cache")
        cache.root.cache_clear()
        yield noise_images(Path(folder) / "data")
        cache.root.cache_clear()


def test_another_users_entries_are_used(shared: Path) -> None:
    place = shared.parent / "cache"
    digest = opened(shared).digest
    (entry,) = entries(place)
    before = rows(entry).stat().st_mtime_ns
    (shared / "000.png").chmod(0)  # who decodes, fails: who reads the cache, does not
    done = as_nobody(shared)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{digest}\n", ""), done.stderr
    assert rows(entry).stat().st_mtime_ns == before


def test_a_cache_that_cannot_be_written_is_read_beside_one_that_can(shared: Path) -> None:
    place = shared.parent / "cache"
    opened(noise_images(shared.parent / "other"))  # what is not there is decoded for the process alone
    digest = opened(shared).digest
    shutil.rmtree(place / "images")
    done = as_nobody(shared)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{digest}\n", ""), done.stderr
    assert not (place / "images").exists()


@pytest.mark.parametrize("mode", [0o1777, 0o2777])
def test_all_users_write_to_a_cache_that_is_for_all(shared: Path, mode: int) -> None:
    place = shared.parent / "cache"
    place.mkdir()
    place.chmod(mode)
    opened(noise_images(shared.parent / "other"))
    done = as_nobody(shared)
    assert done.returncode == 0, done.stderr
    assert len(entries(place)) == 2
    (theirs,) = (entry for entry in entries(place) if entry.stat().st_uid == NOBODY)
    assert opened(shared).digest == done.stdout.strip()
    assert theirs.stat().st_mode & 0o777 == 0o755


def test_another_users_damaged_entry_stops_nobody(shared: Path) -> None:
    place = shared.parent / "cache"
    place.mkdir()
    place.chmod(0o1777)
    digest = opened(shared).digest
    shorter(rows(entries(place)[0]))
    for _ in range(2):
        done = as_nobody(shared)
        assert (done.returncode, done.stdout) == (0, f"{digest}\n"), done.stderr
        assert len(done.stderr.splitlines()) == 1
