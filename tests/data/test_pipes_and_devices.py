"""Pipes, sockets, devices, and folders that hold themselves, in the place of data: one line, and nobody waits."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gancli.data.kinds.paired import Paired
from gancli.data.request import Request
from gancli.data.sources import folders
from gancli.errors import UserError
from gancli.evaluation import stats_files
from gancli.evaluation.extractors import weights
from gancli.images import roundtrip
from gancli.inference.translation.jobs import TranslationRequest, plan
from gancli.inference.translation.pipeline import pipeline
from gancli.inference.user_images import pictures_in
from tests.conftest import Cli, noise_images
from tests.data.sources import idx, opened


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
