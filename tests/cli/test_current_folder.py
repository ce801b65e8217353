"""Nothing of the current folder is imported, run or read as settings: people work where strangers' files lie."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gancli
from gancli.benchmark.rival import Rival, Task
from gancli.cli.main import app
from gancli.errors import UserError
from gancli.images import animation, scatter
from gancli.images import curves as plots
from gancli.images.animation import save_frames
from gancli.system.loading import elsewhere
from gancli.system.processes.spread import spread_over
from tests import children
from tests.system.test_trusted_code import plant

RUN = "open('ran', 'w').close()\nraise SystemExit('ran')\n"
TICKS = [{"step": i, "images": 8 * i, "seconds": 1.0 * i, "images_per_second": 8.0, "loss": 0.5 * i} for i in (1, 2)]


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of somebody's, in which the user works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *map(str, words)]
    return children.run(command, env=os.environ | environment)


# --- imports


@pytest.mark.parametrize("name", ["typer", "torch", "rich", "msgspec", "json", "platformdirs"])
def test_no_module_of_the_current_folder_is_imported(strange: Path, name: str) -> None:
    Path(f"{name}.py").write_text(RUN)
    done = python("-m", "gancli", "train", "dcgan", "--help")
    assert (done.returncode, Path("ran").exists()) == (0, False), done.stderr
    assert "--z-dim" in done.stdout


def test_no_plug_in_is_found_in_the_current_folder(strange: Path) -> None:
    Path("evil.py").write_text(RUN)
    Path("evil-1.dist-info").mkdir()
    Path("evil-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    Path("evil-1.dist-info/entry_points.txt").write_text("[gancli.variants]\nevil = evil:Evil\n")
    done = python("-m", "gancli", "list")
    assert done.returncode == 0
    assert "evil" not in done.stdout
    assert not Path("ran").exists()


def plant_library(folder: Path) -> None:
    """Put a library into a folder that NVIDIA's libcusparseLt, a part of torch on Linux, takes for the driver."""
    if sys.platform != "linux" or not shutil.which("gcc"):
        pytest.skip("needs gcc")
    code = f'#include <stdio.h>\n__attribute__((constructor)) void run(void) {{fopen("{folder.absolute()}/ran", "w");}}'
    command = ["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-x", "c", "-", "-o", folder / "libcuda.so.1"]
    children.run(command, text=code, check=True)


@pytest.mark.parametrize("words", [("info", "none"), ("train", "gan", "--data", "none"), ("list", "--published")])
def test_no_library_of_the_current_folder_is_loaded(strange: Path, words: tuple[str, ...]) -> None:
    plant_library(Path())
    done = python("-m", "gancli", *words)
    assert len(done.stderr.splitlines()) == int(words[0] != "list")
    assert not Path("ran").exists()


def test_every_command_loads_torch_as_it_must_be(strange: Path) -> None:
    """Whatever imports it first would else do it in the current folder."""
    code = "import sys\nfrom gancli.cli.main import run\nrun(sys.argv[1:])\nprint('torch' in sys.modules)"
    light = {"list", "trust"}
    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    inner = {c.name: inspect.getattr_static(c.callback, "__wrapped__") for c in app.registered_commands}
    wrapped = {name for name, callback in inner.items() if hasattr(callback, "__wrapped__")}  # not for --quiet only
    assert names - light - {"train", "bench"} == wrapped
    assert python("-c", code, "list").stdout.endswith("False\n")
    assert python("-c", code, "trust").stdout.endswith("False\n")


def test_the_current_folder_is_where_it_was(strange: Path) -> None:
    with elsewhere():
        assert sys.platform != "linux" or Path.cwd() == Path("/")
    assert Path.cwd() == strange


def test_a_checkout_works_without_being_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There gancli itself comes from the current folder; nobody but the user can mean that."""
    monkeypatch.chdir(Path(gancli.__file__).parent.parent)
    for environment in (
        {"PYTHONPATH": ""},
        {"PYTHONPATH": os.getcwd()},
        {"PYTHONPATH": os.getcwd(), "PYTHONSAFEPATH": "1"},
    ):
        assert python("-m", "gancli", "list", **environment).returncode == 0


def test_torchrun_and_what_it_starts_import_nothing_either(strange: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As --gpus 2 would start them, here to print the version."""
    asked: list[Any] = []
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(os, "execve", lambda *words: asked.extend(words))
    monkeypatch.setattr(os, "execv", lambda *words: asked.extend((*words, dict(os.environ))))
    monkeypatch.setattr(sys, "argv", ["gancli", "--version"])
    spread_over(2)
    Path("torch.py").write_text(RUN)
    Path("typer.py").write_text(RUN)
    plant_library(Path())
    _, command, environment = asked
    done = children.run(command, env=environment)
    assert not Path("ran").exists()
    assert done.stdout.count(f"gancli {gancli.__version__}") == 2, done.stderr


def test_a_program_of_bench_against_is_what_its_file_says(strange: Path) -> None:
    """Its process begins with a look for multiprocessing, and only then learns where modules lie."""
    other = Path("elsewhere/step.py")
    other.parent.mkdir()
    other.write_text("def steps(task):\n    while True:\n        yield\n")
    plant(other, RUN)
    Path("multiprocessing.py").write_text(RUN)
    plant_library(Path())
    with Rival(str(other), Task("x", 1, 1, 1, 1, "cpu")) as program:
        assert program.window(0.001).steps > 0
    assert not Path("ran").exists()
    assert "PYTHONSAFEPATH" not in os.environ


# --- settings


def curves() -> bytes:
    plots.save_curves(TICKS, Path("curves.png"))
    return Path("curves.png").read_bytes()


USETEX = "text.usetex: True\nbackend: module://evil\nfigure.facecolor: red\n"
NONSENSE = "::: \x00 :::\nlines.linewidth: nothing\n"
PLACES = {"here": ".", "environment": "here", "configuration": "config", "cache": "cache/matplotlib"}


@pytest.mark.parametrize(("where", "settings"), [*((place, USETEX) for place in PLACES), ("here", NONSENSE)])
@pytest.mark.usefixtures("plots_are_drawn")
def test_no_settings_of_matplotlib_are_read(strange: Path, where: str, settings: str) -> None:
    plain = curves()
    folder = Path(PLACES[where])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "matplotlibrc").write_text(settings)
    Path("evil.py").write_text(RUN)
    environment = {"GANCLI_CACHE": str(Path("cache").absolute())}
    if where == "environment":
        environment["MATPLOTLIBRC"] = str(folder.absolute() / "matplotlibrc")
    if where == "configuration":
        environment["MPLCONFIGDIR"] = str(folder.absolute())
    code = "from pathlib import Path\nfrom gancli.images.curves import save_curves\n"
    code += f"save_curves({TICKS!r}, Path('other.png'))\n"
    done = python("-P", "-c", code, **environment)
    assert (done.returncode, done.stderr, Path("ran").exists()) == (0, "", False)
    assert Path("other.png").read_bytes() == plain


def test_settings_that_are_a_pipe_stop_nothing(strange: Path) -> None:
    os.mkfifo("matplotlibrc")
    code = "from pathlib import Path\nfrom gancli.images.curves import save_curves\n"
    code += f"save_curves({TICKS!r}, Path('x.png'))\n"
    assert python("-P", "-c", code).returncode == 0
    assert Path("x.png").exists()


def test_a_figure_leaves_no_trace_in_the_environment(strange: Path) -> None:
    before = dict(os.environ)
    curves()
    scatter.draw(scatter.Plot(fake=np.zeros((3, 2), np.float32)))
    assert dict(os.environ) == before
    import matplotlib

    assert os.path.exists("curves.png")
    assert matplotlib.rcParams["text.usetex"] is False


def test_settings_of_a_program_that_uses_gancli_are_kept_and_not_used(strange: Path) -> None:
    import matplotlib

    plain = curves()
    with matplotlib.rc_context({"figure.facecolor": "red"}):
        assert curves() == plain
        assert matplotlib.rcParams["figure.facecolor"] == "red"


@pytest.mark.parametrize("name", [r"$\frac{$", "$x^2$", "a\x1b[31m\nb", "$", "\\", "_" * 300, "\ud800"])
def test_names_of_terms_are_text(strange: Path, name: str) -> None:
    plots.save_curves([tick | {name: 1.0} for tick in TICKS], Path("curves.png"))
    with Image.open("curves.png") as picture:
        assert picture.size[0] > 0


# --- programs


@pytest.mark.parametrize("path", [".", "", ".:nowhere", "relative"])
def test_no_encoder_of_the_current_folder_is_run(strange: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    for place in (Path("ffmpeg"), Path("relative/ffmpeg")):
        place.parent.mkdir(exist_ok=True)
        place.write_text("#!/bin/sh\ntouch ran\n")
        place.chmod(0o755)
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(animation, "_bundled_encoder", lambda: None)
    with pytest.raises(UserError, match="no ffmpeg on the PATH"):
        save_frames([Image.new("RGB", (4, 4))] * 2, Path("x.mp4"), {})
    assert not Path("ran").exists()
