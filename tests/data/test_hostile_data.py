"""Data that were made to do harm: one line, at once, and in bounded memory."""

import errno
import gzip
import os
import random
import socket
import struct
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.data.kinds.paired import Paired
from gancli.data.request import Request
from gancli.data.sources import archives as files
from gancli.data.sources import folders
from gancli.data.sources.decode import Pictures
from gancli.data.sources.open import open_source
from gancli.errors import UserError
from gancli.evaluation import stats_files
from gancli.evaluation.extractors import weights
from gancli.images import reading, roundtrip
from gancli.inference.translation.jobs import TranslationRequest, plan
from gancli.inference.translation.pipeline import pipeline
from gancli.inference.user_images import pictures_in
from tests.conftest import Cli, noise_images


def opened(source: object) -> Pictures:
    return open_source(Request(str(source)))


# --- idx


def idx(shape: tuple[int, ...], kind: int = 8, data: bytes | None = None) -> bytes:
    sides = b"".join(struct.pack(">I", side) for side in shape)
    return bytes([0, 0, kind, len(shape)]) + sides + (bytes(min(int(np.prod(shape)), 4096)) if data is None else data)


IDX = {
    "no rows of pixels": idx((2**20, 0, 16)),
    "no columns": idx((2**20, 16, 0)),
    "no images": idx((0, 16, 16)),
    "255 axes": idx((1,) * 255),
    "255 axes of many": idx((2**32 - 1,) * 255, data=b""),
    "65 axes": idx((1,) * 65),
    "five axes": idx((1,) * 5),
    "no axis": idx(()),
    "labels": idx((16,)),
    "floats": idx((4, 8, 8), 13),
    "signed bytes": idx((4, 8, 8), 9),
    "no such type": idx((4, 8, 8), 0),
    "nine channels": idx((2, 8, 8, 9)),
    "more than there is": idx((2**31, 2, 2)),
    "a picture beyond the bound": idx((1, 2**14, 2**13), data=bytes(2**27)),
    "cut in its header": b"\0\0\x08\x03\0\0",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", IDX)
def test_idx_headers(what: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("train-images-idx3-ubyte" + ".gz" * packed)
    path.write_bytes(gzip.compress(IDX[what], 1) if packed else IDX[what])
    before = time.process_time()
    for source in (path, tmp_path):
        with pytest.raises(UserError) as error:
            opened(source)
        assert len(str(error.value).splitlines()) == 1
    assert time.process_time() - before < 5


HEADERS = {
    "no end": b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 8, 8), } 'x': (",
    "null characters": b"{'descr': '|u1',\0 'fortran_order': False, 'shape': (2, 8, 8)",
    "no shape": b"{'descr': '|u1', 'fortran_order': False}",
    "a shape of words": b"{'descr': '|u1', 'fortran_order': False, 'shape': ('x', 8, 8)}",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 8, 8)}",
    "more than there is": b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 8, 8)}",
    "a code": b"__import__('os').mkdir('escaped')",
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("what", HEADERS)
def test_npz_headers(what: str, method: int, tmp_path: Path, cli: Cli) -> None:
    text = HEADERS[what].ljust(117) + b"\n"
    with zipfile.ZipFile("x.npz", "w", method) as archive:
        archive.writestr("images.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(128))
    done = cli("train", "gan", "--data", "x.npz", "--dry-run")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert [path.name for path in Path().iterdir()] == ["x.npz"]


@pytest.mark.filterwarnings("default")  # as for users: where they are errors, they are raised before
def test_damaged_metadata_is_not_told_beside_the_error(cli: Cli) -> None:
    Path("data").mkdir()
    Image.new("I;16", (8, 8)).save("data/x.tif")
    whole = Path("data/x.tif").read_bytes()
    for cut in range(len(whole) // 2, len(whole), 5):
        Path("data/x.tif").write_bytes(whole[:cut])
        done = cli("train", "gan", "--data", "data", "--size", 8, "--dry-run")
        assert (done.code, len(done.err.splitlines())) == (2, 1) or done.code == 0, done.err


def test_a_million_rows_are_a_list_that_costs_nothing(tmp_path: Path) -> None:
    from gancli.data.sources.open import list_source

    (tmp_path / "images-idx3").write_bytes(idx((2**22, 1, 1), data=bytes(2**22)))
    before = time.process_time()
    assert len(list_source(Request(str(tmp_path / "images-idx3"))).items) == 2**22
    assert time.process_time() - before < 1


# --- what is no file


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def listening(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))  # such names are short
    return path


def device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


@contextmanager
def at_once(path: Path) -> Iterator[None]:
    """Open a pipe that somebody waits for, so that a test fails instead of waiting too; but for that it is too late."""

    def write() -> None:
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))

    timer, before = threading.Timer(5, write), time.monotonic()
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    assert time.monotonic() - before < 4


@pytest.mark.parametrize("make", [pipe, listening, device])
@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.npz", "images-idx3", "images-idx3.gz", "x.png", "x"])
def test_data_that_are_no_file(
    name: str, make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path / name)
    with at_once(path), pytest.raises(UserError, match=r"is a (pipe|socket|device), but a file is expected"):
        opened(path)
    with at_once(path), pytest.raises(UserError):
        Paired.open(Request(str(path)))


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"])
def test_pipes_among_idx_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx((4, 8, 8)))
    (tmp_path / name).unlink(missing_ok=True)
    path = pipe(tmp_path / name)
    with at_once(path), pytest.raises(UserError, match="is a pipe"):
        opened(tmp_path)


def test_pipes_in_a_folder_are_left_out_and_later_ones_refused(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 3)
    path = pipe(folder / "p.png")
    with at_once(path):
        assert len(opened(folder).images) == 3
        items, *_ = folders.in_folder(folder)
        (folder / "000.png").unlink()
        late = pipe(folder / "000.png")
        with at_once(late), pytest.raises(UserError, match="is a pipe"):
            items[0].open()


def test_pipes_as_images_of_commands(tmp_path: Path, cli: Cli) -> None:
    path = pipe(tmp_path / "x.png")
    with at_once(path):
        with pytest.raises(UserError, match="is a pipe"):
            roundtrip.load(path)
        with pytest.raises(UserError, match="is a pipe"):
            roundtrip.hole(str(path), (8, 8))
        with pytest.raises(UserError, match="no such file"):
            pictures_in(path)
        done = cli("eval", path, "--data", "digits", "--extractor", "local")
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    for name, read in (
        ("w.pth", weights.fingerprint),
        ("s.npz", stats_files.read),
        ("s.safetensors", stats_files.read),
    ):
        path = pipe(tmp_path / name)
        with at_once(path), pytest.raises(UserError, match="is a pipe"):
            read(path)


def test_pipes_are_not_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = noise_images(tmp_path / "in", 2)
    path = pipe(folder / "p.png")
    request = TranslationRequest("m", (str(folder),), out=tmp_path / "out")
    with at_once(path):
        jobs = plan(request, "m")
        outcomes = {job.name: why for job, why in pipeline(jobs, request, lambda image: image, {})}
    assert outcomes[str(path)] == f"{path} is a pipe, but a file is expected here"
    assert len([why for why in outcomes.values() if why is None]) == 2


def test_a_folder_in_itself_has_an_end(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "data", 3)
    (folder / "again").symlink_to(folder)
    noise_images(folder / "deep", 2)
    (folder / "deep" / "up").symlink_to("..")
    (tmp_path / "other").symlink_to(folder / "deep")
    (folder / "twice").symlink_to(folder / "deep")  # no loop: it is followed
    assert len(opened(folder).images) == 7


# --- frames


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tiff", ".png"])
def test_frames_that_grow_count_as_they_are_then(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.new("RGB", (8, 8), (8 * i, 255 - 8 * i, 0)) for i in range(30)]
    path = tmp_path / f"x{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, lossless=True)
    monkeypatch.setattr(reading, "MOST_PIXELS", 30 * 16 * 16)
    assert len(roundtrip.load(path, "16").frames) == 30
    resized: list[object] = []
    monkeypatch.setattr(Image.Image, "resize", lambda *given, **_: resized.append(given) or frames[0])
    for size in ("17", "64", "17x16"):
        with pytest.raises(ValueError, match="pixels; at most"):
            roundtrip.load(path, size)
    assert len(resized) < 3 * 30


def test_thin_pictures_do_not_grow_without_end(tmp_path: Path) -> None:
    Image.new("L", (4, 60_000)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"15,728,640,000 pixels"):
        roundtrip.load(tmp_path / "x.png", "1024")


# --- archives


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
