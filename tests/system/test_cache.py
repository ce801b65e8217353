"""The cache heals, keeps its bound, serves several users, and a full disk is one line."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gancli.data.request import Request
from gancli.data.sources.decode import Pictures
from gancli.data.sources.open import open_source
from gancli.errors import UserError
from gancli.system import cache
from tests import children
from tests.conftest import Cli, noise_images

NOBODY = 65534
OPEN = """
import sys
from gancli.data.request import Request; from gancli.data.sources.open import open_source
from gancli.errors import UserError
try:
    print(open_source(Request(sys.argv[1])).digest)
except UserError as error:
    sys.exit(print(error, file=sys.stderr) or 2)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GANCLI_CACHE", str(tmp_path / "cache"))
    cache.root.cache_clear()
    yield tmp_path / "cache"
    cache.root.cache_clear()


def opened(folder: Path) -> Pictures:
    return open_source(Request(str(folder)))


def entries(place: Path) -> list[Path]:
    return sorted(path for path in (place / "images").iterdir() if not path.name.startswith("."))


def rows(entry: Path) -> Path:
    return max(entry.iterdir(), key=lambda file: file.stat().st_size)


# --- damage


def _shorter(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _to_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _to_link(file: Path, depth: int = 3) -> None:
    elsewhere = file.parents[depth] / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def _one_digit(file: Path) -> None:
    text = file.read_text()
    assert "8" in text
    file.write_text(text.replace("8", "9", 1))


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "images are cut": ("rows", _shorter),
    "images are empty": ("rows", lambda file: os.truncate(file, 0)),
    "images are longer": ("rows", lambda file: os.truncate(file, file.stat().st_size + 1)),
    "images are gone": ("rows", Path.unlink),
    "images are a pipe": ("rows", _to_pipe),
    "images are a link": ("rows", _to_link),
    "about is cut": ("about.json", _shorter),
    "about is empty": ("about.json", lambda file: os.truncate(file, 0)),
    "about is no JSON": ("about.json", lambda file: file.write_bytes(b"\0" * 100)),
    "about is a list": ("about.json", lambda file: file.write_text("[]")),
    "about has other types": ("about.json", lambda file: file.write_text('{"count": "x", "labels": 1, "broken": 2}')),
    "about has nothing": ("about.json", lambda file: file.write_text("{}")),
    "about has one digit changed": ("about.json", _one_digit),
    "about is a pipe": ("about.json", _to_pipe),
    "about is a link": ("about.json", _to_link),
    "about is gone": ("about.json", Path.unlink),
    "all of it is a link": ("", lambda entry: _to_link(entry, 2)),
    "all of it is a pipe": ("", lambda entry: (shutil.rmtree(entry), os.mkfifo(entry))),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_healed_with_one_line(
    what: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = noise_images(tmp_path / "data")
    first = np.array(opened(folder).images)
    name, damage = DAMAGE[what]
    (entry,) = entries(place)
    damage(rows(entry) if name == "rows" else entry / name)
    assert np.array_equal(opened(folder).images, first)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert np.array_equal(opened(folder).images, first)
    assert capsys.readouterr().err == ""
    assert len(entries(place)) == 1
    assert not list(cache.check())


def test_labels_are_held_to_their_hash(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        noise_images(tmp_path / "data" / name, 3)
    first = opened(tmp_path / "data").labels
    (entry,) = entries(place)
    labels = bytearray((entry / "labels.bin").read_bytes())
    labels[0] ^= 1
    (entry / "labels.bin").write_bytes(labels)
    assert np.array_equal(opened(tmp_path / "data").labels, first)
    assert "labels.bin has changed" in capsys.readouterr().err


def test_a_flipped_bit_is_found_on_demand(place: Path, tmp_path: Path) -> None:
    opened(noise_images(tmp_path / "data"))
    assert list(cache.check()) == []
    file = rows(entries(place)[0])
    data = bytearray(file.read_bytes())
    data[77] ^= 4
    file.write_bytes(data)
    (fault,) = cache.check()
    assert str(file.parent) in fault
    assert "images.bin has changed" in fault
    (file.parent / "about.json").write_text("?")
    (fault,) = cache.check()
    assert len(fault.splitlines()) == 1
    (file.parent / "about.json").unlink()
    assert len(list(cache.check())) == 1


def test_features_and_local_networks_heal_too(
    place: Path, cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gancli.evaluation.extractors.local.STEPS", 5)
    words = ("eval", pictures, "--data", pictures, "--extractor", "local", "--metrics", "fid", "--json")
    first = cli(*words)
    assert first.code == 0, first.err
    for kind in ("features", "local", "content"):
        for file in (place / kind).glob("*/*"):
            _shorter(file)
        again = cli(*words)
        assert (again.code, again.out) == (0, first.out)
        assert "rebuilding it" in again.err
    assert not list(cache.check())


# --- no room


def test_a_full_quota_is_one_line(place: Path, tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 12, (64, 64))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    words = [sys.executable, "-c", limit + OPEN, str(folder)]
    _is_full(children.run(words), place)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="a small disk takes root")
def test_a_full_disk_is_one_line(place: Path, tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 60, (64, 64))
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place]
    if children.run(mount).returncode:
        pytest.skip("no tmpfs can be mounted")
    try:
        words = [sys.executable, "-c", OPEN, str(folder)]
        _is_full(children.run(words), place)
    finally:
        children.run(["umount", place])


def _is_full(done: "subprocess.CompletedProcess[str]", place: Path) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    for word in (str(place), "GANCLI_CACHE", "GANCLI_CACHE_SIZE"):
        assert word in done.stderr
    assert not list((place / "images").iterdir())  # nothing half is left


def test_features_that_find_no_room_are_used_all_the_same(
    place: Path, cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
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


def test_orphans_go_and_living_writers_stay(place: Path, tmp_path: Path) -> None:
    killed = children.run([sys.executable, "-c", KILLED, "kill"])
    assert killed.returncode == -signal.SIGKILL
    (orphan,) = (place / "images").iterdir()
    writer = [sys.executable, "-c", KILLED, "wait"]
    with children.start(writer, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdin
        assert living.stdout
        assert living.stdout.readline() == b"there\n"
        assert not orphan.exists()
        (draft,) = (place / "images").iterdir()
        opened(noise_images(tmp_path / "data"))
        assert (draft / "images.bin").stat().st_size == 1000
        living.stdin.close()
    assert not draft.exists()


def test_nothing_is_removed_that_gancli_did_not_make(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "3kB")
    for name in (".gancli-new", ".new-abcdefgh", "notes", "0123456789abcdef0123456789abcdef"):
        (place / "images" / name).mkdir(parents=True)
        (place / "images" / name / "mine.txt").write_text("mine")
    for i in range(4):
        opened(noise_images(tmp_path / str(i)))
    assert len(list((place / "images").glob("*/mine.txt"))) == 4


def test_a_folder_with_other_things_is_not_marked_and_nothing_goes(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir()
    (place / "thesis.tex").write_text("mine")
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "3kB")
    for i in range(4):
        opened(noise_images(tmp_path / str(i)))
    assert not (place / "CACHEDIR.TAG").exists()
    assert len(entries(place)) == 4


def test_the_cache_is_marked_as_one(place: Path, tmp_path: Path) -> None:
    opened(noise_images(tmp_path / "data"))
    assert (place / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


# --- the bound


def test_what_was_not_used_for_longest_goes_first(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "9kB")  # an entry has 2304 bytes of images and what is said of them
    folders = [noise_images(tmp_path / str(i)) for i in range(4)]
    found: list[Path] = []
    for folder in folders[:3]:
        opened(folder)
        found += [path for path in entries(place) if path not in found]
    for age, path in enumerate(found):
        os.utime(path / "about.json", (1000 + age, 1000 + age))
    opened(folders[0])  # is used again
    opened(folders[3])
    assert [path.exists() for path in found] == [True, False, True]
    assert len(entries(place)) == 3


def test_what_is_in_use_stays(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCLI_CACHE_SIZE", "5kB")
    held = opened(noise_images(tmp_path / "held"))
    (entry,) = entries(place)
    view = held.images[2:4]  # a part of it is enough
    del held
    for i in range(3):
        opened(noise_images(tmp_path / str(i)))
        assert entry.exists()
    del view
    opened(noise_images(tmp_path / "last"))
    assert not entry.exists()


def test_data_beyond_the_bound_are_one_line(place: Path, cli: Cli, pictures: Path, tmp_path: Path) -> None:
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


# --- several users


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
    _shorter(rows(entries(place)[0]))
    for _ in range(2):
        done = as_nobody(shared)
        assert (done.returncode, done.stdout) == (0, f"{digest}\n"), done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_recent_use_is_what_counts(place: Path, tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data")
    opened(folder)
    about = entries(place)[0] / "about.json"
    os.utime(about, (1000, 1000))
    opened(folder)
    assert time.time() - about.stat().st_mtime < 60


def test_what_is_never_sealed_is_no_entry(place: Path) -> None:
    with cache.entry("x", 1).write() as draft:
        (draft.path / "a").write_bytes(b"a")
    assert cache.entry("x", 1).read(lambda kept: kept.load("a")) is None
    with pytest.raises(RuntimeError), cache.entry("x", 2).write() as draft:
        raise RuntimeError
    with pytest.raises(UserError), cache.entry("x", 3).write() as draft:
        raise OSError(errno.ENOSPC, "full")
