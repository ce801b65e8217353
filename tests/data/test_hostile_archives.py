"""Archives that were made to do harm: a million members, names without end, an order that costs."""

import errno
import gzip
import random
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gancli.data.sources import archives as files
from gancli.errors import UserError
from tests.conftest import noise_images
from tests.data.sources import opened


def packed(folder: Path, out: Path, mode: Any) -> Path:
    names = sorted(path.name for path in folder.iterdir())
    random.Random(7).shuffle(names)
    with tarfile.open(out, mode) as archive:
        for name in names:
            archive.add(folder / name, name)
    return out


def test_the_order_in_a_compressed_tar_costs_nothing(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 400, (64, 64))
    took = []
    rows = []
    for name, mode in (("x.tar", "w"), ("x.tar.gz", "w:gz")):
        path = packed(folder, tmp_path / name, mode)
        before = time.process_time()
        rows.append(opened(path).digest)
        took.append(time.process_time() - before)
    assert took[1] < 4 * took[0]
    assert rows == [opened(folder).digest] * 2  # sorted by name, whatever their order was


@pytest.mark.parametrize("mode", ["gz", "xz", "bz2"])
def test_a_compressed_tar_leaves_nothing_on_disk(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.system import cache

    path = packed(noise_images(tmp_path / "data", 9), tmp_path / f"x.tar.{mode}", f"w:{mode}")
    first = opened(path).digest
    assert sorted(p.name for p in cache.root().iterdir() if p.is_file()) == ["CACHEDIR.TAG"]
    (tmp_path / "again").mkdir()
    data = path.read_bytes()
    cut = tmp_path / "again" / path.name
    cut.write_bytes(data[:-4] + b"\0\0\0\0")  # its last checksum is wrong: what lies before is there
    if mode == "gz":
        assert opened(cut).digest == first
    else:  # their readers give nothing of a block that is damaged
        with pytest.raises(UserError):
            opened(cut)


def many_in_a_zip(path: Path, count: int) -> Path:
    name = b"x.png"
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0)
    listed = (entry + name) * count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count % 65536, count % 65536, len(listed), 0, 0)
    path.write_bytes(b"PK\3\4" + bytes(26) + listed + end)
    return path


def many_in_a_tar(path: Path, count: int) -> Path:
    info = tarfile.TarInfo("x.png")
    block = gzip.compress(info.tobuf() * 1000, 1)
    path.write_bytes(block * (count // 1000) + gzip.compress(bytes(1024)))
    return path


@pytest.mark.parametrize(
    ("make", "name"), [(many_in_a_zip, "x.zip"), (many_in_a_zip, "x.npz"), (many_in_a_tar, "x.tar.gz")]
)
def test_a_million_members(make: Callable[[Path, int], Path], name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, 10**6)
    before = time.process_time()
    with pytest.raises(UserError, match="lists more than"):
        opened(path)
    assert time.process_time() - before < 10


def test_as_many_members_as_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = noise_images(tmp_path / "data", 10)
    archives = [packed(folder, tmp_path / "x.tar", "w"), tmp_path / "x.zip"]
    with zipfile.ZipFile(archives[1], "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    for most, fine in ((10, True), (9, False)):
        monkeypatch.setattr(files, "MOST_MEMBERS", most)
        for path in archives:
            if fine:
                assert len(files.in_archive(path)[0]) == 10
            else:
                with pytest.raises(UserError, match="unpack it into a folder"):
                    files.in_archive(path)


def test_a_name_without_end(tmp_path: Path) -> None:
    """A tar may say that the name of a member has gigabytes, which would be read into memory."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**29
    with gzip.open(tmp_path / "x.tar.gz", "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(2**9):
            file.write(bytes(2**20))
    with pytest.raises(UserError, match="536,870,912 bytes"):
        opened(tmp_path / "x.tar.gz")


def test_no_room_to_unpack_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(noise_images(tmp_path / "data", 9), tmp_path / "x.tar.gz", "w:gz")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(UserError, match="no room in the cache"):
        opened(path)
