"""The cache keeps its bound, takes nothing of others, and a full disk is one line."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import children
from tests.conftest import Cli, noise_images
from tests.data.sources import opened
from tests.system.cached import OPEN, entries

# --- no room


def test_a_full_quota_is_one_line(own_cache: Path, tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 12, (64, 64))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    words = [sys.executable, "-c", limit + OPEN, str(folder)]
    _is_full(children.run(words), own_cache)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="a small disk takes root")
def test_a_full_disk_is_one_line(own_cache: Path, tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 60, (64, 64))
    own_cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", own_cache]
    if children.run(mount).returncode:
        pytest.skip("no tmpfs can be mounted")
    try:
        words = [sys.executable, "-c", OPEN, str(folder)]
        _is_full(children.run(words), own_cache)
    finally:
        children.run(["umount", own_cache])


def _is_full(done: "subprocess.CompletedProcess[str]", own_cache: Path) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    for word in (str(own_cache), "GANCLI_CACHE", "GANCLI_CACHE_SIZE"):
        assert word in done.stderr
    assert not list((own_cache / "images").iterdir())  # nothing half is left


def test_features_that_find_no_room_are_used_all_the_same(
    own_cache: Path, cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gancli.evaluation.extract.save_file", full)
    monkeypatch.setattr("gancli.evaluation.extractors.local.STEPS", 5)
    done = cli("eval", pictures, "--data", pictures, "--extractor", "local", "--metrics", "fid")
    assert done.code == 0, done.err
    assert "not cached: no room in the cache" in done.err.splitlines()[0]


# --- what killed starts leave


KILLED = """
import os, signal, sys
from pathlib import Path
from gancli.system import cache
with cache.entry("images", "killed").write() as draft:
    (getattr(draft, "path", draft) / "images.bin").write_bytes(bytes(1000))
    print("there", flush=True)
    os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == "kill" else sys.stdin.read()
"""


def test_orphans_go_and_living_writers_stay(own_cache: Path, tmp_path: Path) -> None:
    killed = children.run([sys.executable, "-c", KILLED, "kill"])
    assert killed.returncode == -signal.SIGKILL
    (orphan,) = (own_cache / "images").iterdir()
    writer = [sys.executable, "-c", KILLED, "wait"]
    with children.start(writer, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdin
        assert living.stdout
        assert living.stdout.readline() == b"there\n"
        assert not orphan.exists()
        (draft,) = (own_cache / "images").iterdir()
        opened(noise_images(tmp_path / "data"))
        assert (draft / "images.bin").stat().st_size == 1000
        living.stdin.close()
    assert not draft.exists()


def test_nothing_is_removed_that_gancli_did_not_make(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "3kB")
    for name in (".gancli-new", ".new-abcdefgh", "notes", "0123456789abcdef0123456789abcdef"):
        (own_cache / "images" / name).mkdir(parents=True)
        (own_cache / "images" / name / "mine.txt").write_text("mine")
    for i in range(4):
        opened(noise_images(tmp_path / str(i)))
    assert len(list((own_cache / "images").glob("*/mine.txt"))) == 4


def test_a_folder_with_other_things_is_not_marked_and_nothing_goes(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cache.mkdir()
    (own_cache / "thesis.tex").write_text("mine")
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "3kB")
    for i in range(4):
        opened(noise_images(tmp_path / str(i)))
    assert not (own_cache / "CACHEDIR.TAG").exists()
    assert len(entries(own_cache)) == 4


def test_the_cache_is_marked_as_one(own_cache: Path, tmp_path: Path) -> None:
    opened(noise_images(tmp_path / "data"))
    assert (own_cache / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


# --- the bound


def test_what_was_not_used_for_longest_goes_first(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "9kB")  # an entry has 2304 bytes of images and what is said of them
    folders = [noise_images(tmp_path / str(i)) for i in range(4)]
    found: list[Path] = []
    for folder in folders[:3]:
        opened(folder)
        found += [path for path in entries(own_cache) if path not in found]
    for age, path in enumerate(found):
        os.utime(path / "about.json", (1000 + age, 1000 + age))
    opened(folders[0])  # is used again
    opened(folders[3])
    assert [path.exists() for path in found] == [True, False, True]
    assert len(entries(own_cache)) == 3


def test_what_is_in_use_stays(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "5kB")
    held = opened(noise_images(tmp_path / "held"))
    (entry,) = entries(own_cache)
    view = held.images[2:4]  # a part of it is enough
    del held
    for i in range(3):
        opened(noise_images(tmp_path / str(i)))
        assert entry.exists()
    del view
    opened(noise_images(tmp_path / "last"))
    assert not entry.exists()


def test_data_beyond_the_bound_are_one_line(own_cache: Path, cli: Cli, pictures: Path, tmp_path: Path) -> None:
    os.environ["GANCLI_CACHE_SIZE"] = "2kB"
    try:
        done = cli("train", "gan", "--data", pictures, "--dry-run")
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert "GANCLI_CACHE_SIZE is 2 kB" in done.err.replace("KB", "kB")
        for wrong in ("much", "-1", "1e9", "20 GBs"):
            os.environ["GANCLI_CACHE_SIZE"] = wrong
            done = cli("train", "gan", "--data", pictures, "--dry-run")
            assert (done.code, len(done.err.splitlines())) == (2, 1)
            assert f"GANCLI_CACHE_SIZE={wrong}" in done.err
    finally:
        del os.environ["GANCLI_CACHE_SIZE"]


def test_recent_use_is_what_counts(own_cache: Path, tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data")
    opened(folder)
    about = entries(own_cache)[0] / "about.json"
    os.utime(about, (1000, 1000))
    opened(folder)
    assert time.time() - about.stat().st_mtime < 60
