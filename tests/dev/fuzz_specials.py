"""Links, pipes, sockets and devices in place of files: no command may block, or read or write elsewhere."""

import os
import shutil
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.dev import whole_files
from tests.dev.fuzz_cases import PLAN, RESUMED, Case, Words, command_of_run, copy_run


def _specials(target: Path) -> list[tuple[str, Callable[[Path], None]]]:
    """Return functions that create special files; `target` is where a link may point."""
    return [
        ("a link", lambda path: path.symlink_to(target)),
        ("a link to nowhere", lambda path: path.symlink_to("nowhere/at/all")),
        ("a link to itself", lambda path: path.symlink_to(path)),
        ("a link to a device", lambda path: path.symlink_to("/dev/zero")),
        ("a pipe", os.mkfifo),
        ("a link to a pipe", _link_to_a_pipe),
        ("a socket", _socket),
        ("a device", _device),
        ("a folder", lambda path: path.mkdir()),
    ]


def _link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.parent / ".pipe")
    path.symlink_to(path.parent / ".pipe")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket must be short
    with suppress(OSError), socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)
    os.chdir(here)


def _device(path: Path) -> None:
    """Create /dev/zero here; only root may, so others get a link to it."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except OSError:
        path.symlink_to("/dev/zero")


RUN_FILES = ("run.json", "metrics.jsonl", "reals.png", "curves.png", "samples", "checkpoints", "")
NUMBERED = ("checkpoints/000000004.safetensors", "checkpoints/best.safetensors", "samples/000000008.png")
INPUTS = (
    "x.safetensors",
    "x.png",
    "x.jpg",
    "x.npz",
    "x.zip",
    "x.tar.gz",
    "x-images-idx3-ubyte",
    "x.pth",
    "x.pkl",
    "x.py",
)


def put(case: Case) -> Words:
    """Put a special file somewhere, and return a command that reads or writes there."""
    return case.dice.choice(PLACES)(case)


def _instead(case: Case, path: Path, target: Path) -> None:
    """Replace whatever is at a path by a special file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    case.dice.choice(_specials(target))[1](path)


def _in_a_run(case: Case) -> Words:
    variant = case.dice.choice(RESUMED)
    folder, name = copy_run(case, variant), case.dice.choice(RUN_FILES + NUMBERED)
    if name:
        _instead(case, folder / name, case.whole / "runs" / variant / name)
    else:  # a link to another run of the same user is allowed
        _instead(case, folder, Path(shutil.copytree(folder, case.work / "out" / "other")))
    return command_of_run(case, variant, folder)


def _among_data(case: Case) -> Words:
    data = Path(shutil.copytree(case.whole / "data", case.work / "in" / "data"))
    name = case.dice.choice(["000.png", "new.png", "sub", "train-images-idx3-ubyte", "sub/x.png", ""])
    _instead(case, data / name if name else data, case.whole / "data" / name)
    out = ["--out", "out/run"]
    return case.one_of([*PLAN, "--data", data, *out], ["eval", data, "--data", data], ["info", data])


def _in_the_cache(case: Case) -> Words:
    shutil.copytree(case.whole / "cache", case.work / "cache", dirs_exist_ok=True)
    (entry,) = (path for path in (case.work / "cache" / "images").iterdir() if not path.name.startswith("."))
    path = case.dice.choice([entry, entry.parent, *sorted(entry.iterdir()), case.work / "cache" / "CACHEDIR.TAG"])
    own = path == entry.parent  # the user may have moved this folder to another disk
    target = (
        Path(shutil.copytree(path, case.work / "out" / "other")) if own else case.whole / path.relative_to(case.work)
    )
    _instead(case, path, target)
    train = [*whole_files.training("gan", case.work / "out" / "run", 1, case.whole), "--dry-run"]
    return case.one_of(train, ["check", "cache"])


def _input(case: Case) -> Words:
    path, whole = case.work / "in" / case.dice.choice(INPUTS), case.whole
    _instead(case, path, whole / "gan.safetensors")
    out, data = ["--out", "out/x.png"], whole / "data"
    return case.one_of(
        *([word, path] for word in ("info", "check", "trust")),
        ["sample", path, *out],
        ["sample", "--like", path, *out],
        ["translate", whole / "cyclegan.safetensors", path, *out],
        ["translate", path, data / "000.png", *out],
        ["interpolate", whole / "vae.safetensors", "--images", path, path, *out],
        ["import", path, "--as", "x"],
        ["eval", path, "--data", data],
        ["eval", data, "--data", path],
        ["eval", data, "--stats", path],
        ["eval", data, "--data", data, "--weights", path],
        [*PLAN, "--data", path],
        [*PLAN, "--data", data, "--data-b", path],
    )


def _output(case: Case) -> Words:
    path, whole = case.work / "out" / case.dice.choice(INPUTS), case.whole
    _instead(case, path, whole / "gan.safetensors")
    data = whole / "data"
    return case.one_of(
        ["sample", whole / "gan.safetensors", "-n", 2, "--out", path],
        ["translate", whole / "cyclegan.safetensors", data, "--out", path],
        ["eval", data, "--data", data, "--stats", path],
        ["eval", data, "--data", data, "--out", path],
        [*PLAN, "--data", data, "--out", path],
        whole_files.training("gan", path, 1, whole),
    )


PLACES = (_in_a_run, _among_data, _input, _output, _in_the_cache)
