"""What scripts, pipes, closed terminals and impatient people rely on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gancli.checkpoints import checkpoint
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.system import atomic
from gancli.training import launch
from tests import children, forked
from tests.conftest import Cli
from tests.training.test_resuming import QUICK, final, start, wait_for

SMALL = ("train", "gan", *QUICK, "--metrics", "none")


# --- signals


def test_two_ctrl_c_leave_whole_files(cli: Cli, pictures: Path) -> None:
    process = start("x", pictures, "--save-every", 0.004, steps=10**6)
    wait_for(Path("x/checkpoints"))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode in (-signal.SIGINT, 130)  # the first may have been enough
    found = sorted(Path("x/checkpoints").glob("0*.safetensors"))
    assert found
    assert all(checkpoint.whole(path) for path in found)


def test_nohup_is_honoured(cli: Cli, pictures: Path) -> None:
    words = [*SMALL, "--data", pictures, "--steps", 10**6, "--out", "x"]
    command = ["nohup", sys.executable, "-m", "gancli", *map(str, words)]
    with open(os.devnull, "w") as nowhere:
        process = children.start(command, stdout=nowhere, stderr=nowhere)
    wait_for(Path("x/metrics.jsonl"))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=10) == 143


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_long_evaluation_does_not_hold_a_signal_back(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    def endless(*_: Any) -> Callable[[GAN[Any]], dict[str, float]]:
        def evaluate(_gan: GAN[Any]) -> dict[str, float]:
            os.kill(os.getpid(), number)
            time.sleep(60)
            return {"fid": 1.0}

        return evaluate

    monkeypatch.setattr(launch, "monitored", endless)
    began = time.monotonic()
    result = cli(*SMALL, "--data", pictures, "--steps", 3, "--out", "x")
    assert result.code == code
    assert time.monotonic() - began < 30
    assert checkpoint.describe(Path("x/checkpoints/000000012.safetensors")).clock["step"] == 3
    monkeypatch.undo()


# --- pipes and streams


def test_training_outlives_its_reader(cli: Cli, pictures: Path) -> None:
    words = [*SMALL, "--data", pictures, "--steps", 30, "--out", "x"]
    process = children.start(
        [sys.executable, "-m", "gancli", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (0, b"")
    assert Path("x/checkpoints/000000120.safetensors").is_file()


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["--help"], ["train", "--help"], ["--version"]])
def test_what_nobody_reads_is_quiet(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # before the first word: what a reader that leaves early makes a matter of luck, happens always
    try:
        done = children.run([sys.executable, "-m", "gancli", *words], stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


ERRORS = {
    "train": ("train", "gan", "--data", "./nothing"),
    "sample": ("sample", "nothing"),
    "interpolate": ("interpolate", "nothing"),
    "translate": ("translate", "nothing", "x.png"),
    "classify": ("classify", "nothing", "x.png"),
    "eval": ("eval", "nothing", "--data", "./nothing"),
    "info": ("info", "nothing"),
}


@pytest.mark.parametrize("command", ERRORS)
def test_an_error_leaves_stdout_to_results(cli: Cli, command: str) -> None:
    result = cli(*ERRORS[command], "--json")
    assert result.code == 2
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("gancli: ")
    assert not list(Path().iterdir())


def test_a_device_that_does_not_exist(cli: Cli, pictures: Path) -> None:
    cli(*SMALL, "--data", pictures, "--steps", 1, "--out", "x")
    result = cli("sample", "x", "--device", "gpu")
    assert result.code == 2
    assert "--device gpu is not available: this machine has" in result.err


def test_a_place_that_cannot_be_written_is_one_line(cli: Cli, pictures: Path) -> None:
    cli(*SMALL, "--data", pictures, "--steps", 1, "--out", "x")
    for out in ("/proc/x.png", "x/run.json/x.png"):
        result = cli("sample", "x", "-n", 1, "--out", out)
        assert result.code == 2
        assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_what_is_no_file_is_not_written_over(cli: Cli, pictures: Path, make: Callable[[Path], None]) -> None:
    place = Path("report.csv")
    make(place)
    mode = place.stat().st_mode
    result = cli("eval", pictures, "--data", pictures, "--extractor", "local", "--out", place)
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert "but a file is expected here" in result.err
    with pytest.raises(UserError):
        atomic.write_text(place, "x")
    assert [place.stat().st_mode, {path.name for path in Path().iterdir()}] == [mode, {"pictures", "report.csv"}]


def test_names_that_are_no_text(cli: Cli, pictures: Path) -> None:
    """Linux lets names hold any bytes; safetensors does not."""
    name = os.fsdecode(b"caf\xe9 \xff")
    data, train = f"{name}.data", [*SMALL, "--steps", 1, "--quiet", "--data"]
    cli(*train, pictures, "--out", "x")
    Path("x").rename(name)
    Path(f"{name}.safetensors").write_bytes(b"")
    pictures.rename(data)

    for words in ((*train, data, "--out", f"{name}2"), ("info", f"{name}.safetensors"), ("info", name)):
        done = forked.run(*words)
        assert (done.returncode, "UTF-8" in done.stderr) == (2, True)
        assert len(done.stderr.splitlines()) == 1
    for words in ((*train, data, "--out", "y"), ("sample", "y", "-n", 1, "--out", f"{name}.png")):
        done = forked.run(*words)
        assert (done.returncode, done.stderr) == (0, "")
    assert Path(f"{name}.png").is_file()


@pytest.mark.processes
def test_two_that_write_one_file_leave_a_whole_one(cli: Cli, pictures: Path) -> None:
    cli(*SMALL, "--data", pictures, "--steps", 1, "--out", "x")
    both = [forked.start("sample", "x", "-n", 9, "--out", "same.png") for _ in range(2)]
    for process in both:
        process.communicate()
        assert process.returncode == 0
    with Image.open("same.png") as image:
        image.load()


def test_a_file_that_is_written_meanwhile_by_another_process_takes_nothing_away(tmp_path: Path) -> None:
    path = tmp_path / "same.txt"
    with atomic.replacing(path) as temporary:
        temporary.write_text("ours")
        assert forked.run(program=partial(atomic.write_text, path, "theirs")).returncode == 0
        assert path.read_text() == "theirs"
    assert path.read_text() == "ours"


# --- where pictures and runs come from


def provenance(path: Path) -> dict[str, Any]:
    with Image.open(path) as image:
        if path.suffix == ".gif":
            return json.loads(image.info["comment"])
        if path.suffix == ".webp":
            return json.loads(image.getexif()[0x010E])
        return json.loads(image.info["gancli"])


def test_every_picture_says_that_it_is_synthetic_and_whose(cli: Cli, pictures: Path) -> None:
    cli(*SMALL, "--data", pictures, "--steps", 2, "--out", "x")
    fingerprint = checkpoint.fingerprint(Path("x/checkpoints/000000008.safetensors"))
    cli("sample", "x", "--seeds", "3,5", "--out", "grid.png")
    cli("sample", "x", "--seeds", "3,5", "--out", "each")
    for name in ("walk.gif", "walk.webp", "walk.png"):
        cli("interpolate", "x", "--seeds", "3,5", "--frames", 3, "--out", name)
    cli("interpolate", "x", "--seeds", "3,5", "--frames", 3, "--out", "frames")
    assert provenance(Path("grid.png"))["seeds"] == [3, 5]
    assert provenance(Path("each/seed00005.png"))["seeds"] == [5]
    for path in (*Path().glob("*.*"), *Path("each").iterdir(), *Path("frames").iterdir()):
        if path.is_file():
            about = provenance(path)
            assert (about["synthetic"], about["sha256"], about["variant"]) == (True, fingerprint, "gan"), path
            assert about.get("seeds") or about["walk"]["seeds"] == [3, 5]
    for path in Path("x/samples").iterdir():
        about = provenance(path)
        assert (about["synthetic"], about["variant"], about["seed"]) == (True, "gan", 0)
        assert about["images"] == int(path.stem)
    assert provenance(Path("x/reals.png"))["synthetic"] is False


def repeated(about: dict[str, Any]) -> list[str]:
    """The command of a run, from its run.json alone."""
    words = ["train", about["variant"]]
    for name, value in {**about["options"], **about["hparams"]}.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words += [option] if value else []
        elif value is not None and name != "out":
            words += [option, str(value)]
    return words


@pytest.mark.parametrize("variant", ["gan", "cyclegan"])
def test_run_json_is_enough_to_repeat_a_run(cli: Cli, tmp_path: Path, variant: str) -> None:
    from tests.conftest import noise_images

    for name in "AB":
        noise_images(tmp_path / "data" / name, size=(16, 16))
    sizes = ("--batch", 4, "--width", 4, "--size", "16", "--seed", 7, "--lr", 3e-4)
    first = cli("train", variant, "--data", "data", *sizes, "--steps", 6, "--metrics", "none", "--out", "first")
    assert first.code == 0, first.err
    about = json.loads(Path("first/run.json").read_text())
    assert about["folder"] == str(tmp_path)
    assert cli(*repeated(about), "--out", "second").code == 0
    assert final("first") == final("second")
