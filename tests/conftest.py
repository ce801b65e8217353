"""What all tests share: a cache of their own, one thread, and the command line as a function."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

# for the processes that tests start: one thread each, and this code, whatever is installed
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
torch.set_num_threads(1)
# and with signals that arrive, even where the tests were started in the background or under nohup
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


class Result(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["GANCLI_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in an empty folder: its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    from gancli.cli import run

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = run([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


def noise_images(folder: Path, count: int = 12, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Path:
    """Write a folder of small pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return noise_images(tmp_path / "pictures")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a file is written again and again."""
    return tmp_path_factory.mktemp("place") / "x.pth"
