"""`gancli check`: each fault is a line and exit code 2; what is whole is one line and 0; nothing is changed."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gancli.checkpoints import checkpoint
from gancli.system import cache
from tests.cli.strangers import flipped, lost, said
from tests.conftest import Cli, noise_images
from tests.system.test_trusted_code import MINE


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from gancli.cli import main

    folder = tmp_path_factory.mktemp("whole")
    small = ("--steps", 3, "--save-every", 0.004, "--batch", 4, "--width", 4, "--z-dim", 4, "--quiet")
    words = ("train", "gan", "--data", noise_images(folder / "data"), "--out", folder / "run", *small)
    assert main.run([str(word) for word in words]) == 0
    return folder / "run"


@pytest.fixture
def run(cli: Cli, whole: Path) -> Path:
    """A run of three steps with three checkpoints, in the current folder."""
    shutil.copytree(whole, "run")
    return Path("run")


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def newest(run: Path) -> Path:
    return max((run / "checkpoints").glob("0*"))


def test_what_is_whole_is_one_line(cli: Cli, run: Path) -> None:
    before = state(run)
    shutil.copytree(run, "runs/mine")
    for what in (run, "mine", newest(run)):
        result = cli("check", what)
        assert (result.code, result.out, result.err) == (0, f"{what}: no faults found\n", "")
    assert json.loads(cli("check", run, "--json").out) == {"checked": "run", "faults": []}
    assert state(run) == before


def spoil(path: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def do(run: Path) -> None:
        for file in [newest(run)] if path == "newest" else list(run.glob(path)):
            file.write_bytes(change(file.read_bytes()))

    return do


def relink(path: str, to: str = "/etc/passwd") -> Callable[[Path], object]:
    def do(run: Path) -> None:
        place = run / path
        if place.is_dir():
            place.rename(run.parent / "elsewhere")
            to_ = str((run.parent / "elsewhere").absolute())
        else:
            place.unlink(missing_ok=True)
            to_ = to
        place.symlink_to(to_)

    return do


def pipe(path: str) -> Callable[[Path], object]:
    def do(run: Path) -> None:
        (run / path).unlink(missing_ok=True)
        os.mkfifo(run / path)

    return do


def add_line(line: str) -> Callable[[bytes], bytes]:
    return lambda content: content + line.encode()


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """Change the tensors of a checkpoint, with hashes that are right."""

    def spoilt(content: bytes) -> bytes:
        Path("y.safetensors").write_bytes(content)
        tensors = load_file("y.safetensors")
        with safe_open("y.safetensors", "pt") as file:
            about = checkpoint.About(**json.loads(file.metadata()["gancli"]))
        change(tensors)
        checkpoint._write(Path("y.safetensors"), about, tensors)
        return Path("y.safetensors").read_bytes()

    return spoilt


def first(tensors: dict[str, Any], part: str) -> str:
    return next(name for name in sorted(tensors) if name.startswith(part))


def without_hashes(content: bytes) -> bytes:
    Path("y.safetensors").write_bytes(content)
    with safe_open("y.safetensors", "pt") as file:
        about = json.loads(file.metadata()["gancli"]) | {"sha256": {}}
    save_file(load_file("y.safetensors"), "y.safetensors", {"gancli": json.dumps(about)})
    return Path("y.safetensors").read_bytes()


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (spoil("newest", flipped), "ema tensors do not match their hash"),
    "a flipped bit of an older one": (spoil("checkpoints/000000004*", flipped), "ema tensors do not match"),
    "a flipped bit of an optimiser": (
        spoil("newest", lambda c: c[:-1] + bytes([c[-1] ^ 1])),
        "do not match their hash",
    ),
    "a checkpoint cut short": (spoil("newest", lambda c: c[:-9]), "is not a complete safetensors file"),
    "a changed description": (
        spoil("newest", said(lambda a: a["hparams"].update(lr=9), False)),
        "it does not match its hash",
    ),
    "no numbers": (spoil("newest", lost), "holds values that are not finite"),
    "no hashes": (spoil("newest", without_hashes), "holds no hashes"),
    "a network that does not fit": (
        spoil("newest", rewritten(lambda t: t.update({first(t, "ema."): t[first(t, "ema.")][:1].clone()}))),
        "does not match its own description",
    ),
    "a trained network that does not fit": (
        spoil(
            "newest", rewritten(lambda t: t.pop(next(n for n in t if n.startswith("gan.") and n.endswith(".weight"))))
        ),
        "does not match its own description",
    ),
    "an optimiser of something else": (
        spoil("newest", rewritten(lambda t: t.update({"opt.G.exp_avg.nobody": t[first(t, "opt.")]}))),
        "does not match its own description",
    ),
    "no run.json": (lambda run: (run / "run.json").unlink(), "but no run.json: restore it"),
    "a damaged run.json": (spoil("run.json", lambda c: c[:9]), "run.json cannot be read"),
    "a run.json of something else": (spoil("run.json", lambda _: b"[]"), "run.json cannot be read"),
    "a run.json that is a pipe": (pipe("run.json"), "is a pipe"),
    "a line cut short": (spoil("metrics.jsonl", add_line('{"step": 3')), "was cut short"),
    "a line of nothing": (spoil("metrics.jsonl", add_line("x\n")), "metrics.jsonl line"),
    "a line without end": (spoil("metrics.jsonl", add_line("[" * 2**21)), "metrics.jsonl line"),
    "a line whose time has no end": (
        spoil("metrics.jsonl", add_line('{"step": 3, "images": 12, "seconds": 1e999}\n')),
        "seconds",
    ),
    "a line that goes back": (
        spoil("metrics.jsonl", add_line('{"step": 1, "images": 4, "seconds": 1}\n')),
        "step 1 comes after step 3",
    ),
    "a log that is a link": (relink("metrics.jsonl"), "is a link"),
    "no checkpoints": (lambda run: shutil.rmtree(run / "checkpoints"), "holds no checkpoint"),
    "checkpoints that are elsewhere": (relink("checkpoints"), "is a link"),
    "a checkpoint that is a link": (relink("checkpoints/000000099.safetensors"), "is a link"),
    "a checkpoint that is a pipe": (pipe("checkpoints/000000099.safetensors"), "is a pipe"),
    "a grid cut short": (spoil("samples/*.png", lambda c: c[: len(c) // 2]), ".png cannot be read"),
    "a grid with a flipped bit": (spoil("reals.png", lambda c: c[:-20] + bytes([c[-20] ^ 1]) + c[-19:]), "reals.png"),
    "a grid that is a device": (relink("samples/x.png", "/dev/zero"), "is a link"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_each_fault_is_a_line(cli: Cli, run: Path, what: str) -> None:
    do, says = FAULTS[what]
    do(run)
    result = cli("check", run)
    assert result.code == 2
    assert result.err == ""
    assert [line for line in result.out.splitlines() if says in line], result.out
    told = cli("check", run, "--json")
    assert told.code == 2
    assert json.loads(told.out)["faults"] == result.out.splitlines()


def test_no_fault_hides_the_next(cli: Cli, run: Path) -> None:
    for what in ("a flipped bit of an older one", "a damaged run.json", "a line of nothing", "a grid cut short"):
        FAULTS[what][0](run)
    assert len(cli("check", run).out.splitlines()) == 3 + len(list(run.glob("samples/*.png")))


def test_a_long_log_of_nothing_is_told_in_a_few_lines(cli: Cli, run: Path) -> None:
    (run / "metrics.jsonl").write_text("x\n" * 100_000)
    assert len(cli("check", run).out.splitlines()) == 20


def test_a_model_is_checked_by_itself(cli: Cli, run: Path) -> None:
    spoil("newest", flipped)(run)
    assert cli("check", newest(run)).code == 2
    assert cli("check", min((run / "checkpoints").glob("0*"))).code == 0


def test_code_of_a_model_is_run_only_if_it_is_trusted(cli: Cli, pictures: Path, monkeypatch: Any) -> None:
    Path("mine.py").write_text(MINE + "open('ran', 'w').close()\n")
    small = ("--steps", 1, "--batch", 4, "--width", 4, "--quiet", "--metrics", "none")
    assert cli("train", "./mine.py", "--data", pictures, "--out", "x", *small).code == 0
    assert cli("check", "x").code == 0
    Path("ran").unlink()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path("nobody").absolute()))
    result = cli("check", "x")
    assert (result.code, len(result.out.splitlines())) == (2, 1)
    assert "needs to run mine.py" in result.out
    assert not Path("ran").exists()


@pytest.mark.parametrize("what", ["nothing", "pipe", "/dev/zero", "x.png"])
def test_what_is_neither_is_one_line(cli: Cli, what: str) -> None:
    os.mkfifo("pipe")
    noise_images(Path(), 1)
    Path("000.png").rename("x.png")
    result = cli("check", what)
    assert result.code == 2
    assert len((result.out + result.err).splitlines()) == 1


# --- the cache


def test_a_cache_is_checked(cli: Cli, own_cache: Path) -> None:
    data = noise_images(Path("data"))
    assert cli("train", "gan", "--data", data, "--dry-run").code == 0
    assert cli("check", "cache").code == 0
    about = next(own_cache.rglob("about.json"))
    about.write_text("{")
    result = cli("check", "cache")
    assert (result.code, len(result.out.splitlines())) == (2, 1)
    assert str(about.parent) in result.out


def test_what_the_cache_itself_finds_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "check", lambda: iter(["one\x1b", "two"]), raising=False)
    result = cli("check", "cache")
    assert (result.code, result.out) == (2, "one\\x1b\ntwo\n")
