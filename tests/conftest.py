"""What all tests share: a cache of their own, one thread, and the command line as a function."""

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from gancli.engine import rates
from gancli.system import cache
from tests import children, forked

pytest_plugins = ("tests.browser",)

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
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ["MPLCONFIGDIR"] = str(tmp_path_factory.mktemp("matplotlib"))


@pytest.fixture(scope="session", autouse=True)
def plots_are_laid_out(cache_of_the_tests: None) -> Iterator[Callable[..., None]]:
    """Leave the pixels of plots away: they cost more than all else of a short training. Gives what draws them."""
    from matplotlib.figure import Figure

    savefig = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, path, **_: Image.new("L", (1, 1)).save(path, "PNG"))
        yield savefig


@pytest.fixture
def plots_are_drawn(plots_are_laid_out: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw plots in a test that looks at them."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, "savefig", plots_are_laid_out)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--precision",
        choices=("fp32", "bf16", "measured"),
        default="fp32",
        help="what runs compute in where a test does not say: fp32, whatever the machine; bf16, where it has that; "
        "or what is measured to be faster. Of the processes that tests start, always what is measured",
    )


@pytest.fixture(scope="session", autouse=True)
def precision_of_the_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    name = request.config.getoption("--precision")
    with pytest.MonkeyPatch.context() as patch:
        if name != "measured":
            patch.setattr(rates, "measure", lambda *_: {"fp32": 1e9, "bf16": 1e9, name: 2e9})
        yield


@pytest.fixture(autouse=True)
def children_end_with_their_test() -> Iterator[None]:
    yield
    children.end_all()
    forked.end_all()


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in an empty folder: its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    from gancli.cli.main import run

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


@pytest.fixture
def two_folders(tmp_path: Path) -> Path:
    """Data of every kind at once: two classes, two domains, pairs by name."""
    for name in ("A", "B"):
        noise_images(tmp_path / "data" / name, size=(16, 16))
    return tmp_path / "data"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own, with nothing in it yet."""
    monkeypatch.setenv("GANCLI_CACHE", str(tmp_path / "cache"))
    cache.root.cache_clear()
    yield tmp_path / "cache"
    cache.root.cache_clear()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a file is written again and again."""
    return tmp_path_factory.mktemp("place") / "x.pth"


# --- what all workers share: a run is trained once, however many tests and workers want one


Once = Callable[[str, Callable[[Path], object]], Path]
Trained = Callable[..., Path]


@contextmanager
def one_at_a_time(file: Path) -> Iterator[None]:
    """Wait until no other worker is in here."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist have in common, or the only process has."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "of-all-workers"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def tests_of_several_processes_take_turns(request: pytest.FixtureRequest, of_all_workers: Path) -> Iterator[None]:
    if request.node.get_closest_marker("processes") is None:
        yield
        return
    with one_at_a_time(of_all_workers / "processes.lock"):
        yield


@pytest.fixture(scope="session")
def once(of_all_workers: Path) -> Once:
    """Fill a folder once for all tests of all workers, none of which may change what is in it."""

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = of_all_workers / name
        with one_at_a_time(of_all_workers / f"{name}.lock"):
            if not folder.exists():
                unfinished = of_all_workers / f"{name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)  # of a test that failed to fill it
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture
def trained(cli: Cli, once: Once) -> Trained:
    """Give a test its own copy of a run that is trained once: trained(out, variant, *options).

    Without --data it is trained on pictures as those of the fixture `pictures`. What the run says of its data and
    its folder is of where it was trained: a test that resumes one trains its own.
    """

    def copy(out: str | Path, variant: str, *options: object) -> Path:
        data = () if "--data" in options else ("--data", once("pictures", noise_images))
        words = ("train", variant, *data, *options, "--quiet")

        def train(folder: Path) -> None:
            done = cli(*words, "--out", folder / "run")
            assert done.code == 0, done.err

        name = sha256(repr(list(map(str, words))).encode()).hexdigest()[:16]
        return Path(shutil.copytree(once(f"{variant}-{name}", train) / "run", out))

    return copy
