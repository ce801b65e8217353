"""The cache heals: whatever befalls an entry, it is made again with one line."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gancli.errors import UserError
from gancli.system import cache
from tests.conftest import Cli, noise_images
from tests.data.sources import opened
from tests.system.cached import entries, rows, shorter


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
    "images are cut": ("rows", shorter),
    "images are empty": ("rows", lambda file: os.truncate(file, 0)),
    "images are longer": ("rows", lambda file: os.truncate(file, file.stat().st_size + 1)),
    "images are gone": ("rows", Path.unlink),
    "images are a pipe": ("rows", _to_pipe),
    "images are a link": ("rows", _to_link),
    "about is cut": ("about.json", shorter),
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
    what: str, own_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = noise_images(tmp_path / "data")
    first = np.array(opened(folder).images)
    name, damage = DAMAGE[what]
    (entry,) = entries(own_cache)
    damage(rows(entry) if name == "rows" else entry / name)
    assert np.array_equal(opened(folder).images, first)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert np.array_equal(opened(folder).images, first)
    assert capsys.readouterr().err == ""
    assert len(entries(own_cache)) == 1
    assert not list(cache.check())


def test_labels_are_held_to_their_hash(own_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        noise_images(tmp_path / "data" / name, 3)
    first = opened(tmp_path / "data").labels
    (entry,) = entries(own_cache)
    labels = bytearray((entry / "labels.bin").read_bytes())
    labels[0] ^= 1
    (entry / "labels.bin").write_bytes(labels)
    assert np.array_equal(opened(tmp_path / "data").labels, first)
    assert "labels.bin has changed" in capsys.readouterr().err


def test_a_flipped_bit_is_found_on_demand(own_cache: Path, tmp_path: Path) -> None:
    opened(noise_images(tmp_path / "data"))
    assert list(cache.check()) == []
    file = rows(entries(own_cache)[0])
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
    own_cache: Path, cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gancli.evaluation.extractors.local.STEPS", 5)
    words = ("eval", pictures, "--data", pictures, "--extractor", "local", "--metrics", "fid", "--json")
    first = cli(*words)
    assert first.code == 0, first.err
    for kind in ("features", "local", "content"):
        for file in (own_cache / kind).glob("*/*"):
            shorter(file)
        again = cli(*words)
        assert (again.code, again.out) == (0, first.out)
        assert "rebuilding it" in again.err
    assert not list(cache.check())


def test_what_is_never_sealed_is_no_entry(own_cache: Path) -> None:
    with cache.entry("x", 1).write() as draft:
        (draft.path / "a").write_bytes(b"a")
    assert cache.entry("x", 1).read(lambda kept: kept.load("a")) is None
    with pytest.raises(RuntimeError), cache.entry("x", 2).write() as draft:
        raise RuntimeError
    with pytest.raises(UserError), cache.entry("x", 3).write() as draft:
        raise OSError(errno.ENOSPC, "full")
