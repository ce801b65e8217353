"""Where a mutant is put, and which command reads it: a function for each kind of file."""

import bz2
import gzip
import lzma
import os
import shutil
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.dev import mutants, pickle_mutants, whole_files
from tests.dev.mutants import Dice
from tests.dev.whole_files import VARIANTS, Source

Words = list[Any]

SMALL = ("--batch", "4", "--width", "4", "--z-dim", "4", "--precision", "fp32")
PLAN = ("train", "gan", "--steps", "1", "--dry-run", "--device", "cpu", "--size", "8", "--workers", "2", *SMALL)
RESUMED = ("gan", "gan", "dcgan", "cgan")  # variants of which a step is quick


class Case(NamedTuple):
    """A mutant, and the folders it may be put into."""

    source: Source
    whole: Path  # what is not spoiled: nobody may write here
    work: Path  # the current folder, in which `in`, `out`, `runs`, `cache` and `config` are empty
    dice: Dice
    strays: list[bytes]  # whole JSON of other places

    def content(self) -> bytes:
        """Spoil the file, in a way that its format has or in any."""
        special = KINDS.get(self.source.kind) or next(
            (w for e, w in ENDS.items() if self.source.name.endswith(e)), None
        )
        if special is not None and self.dice.random() < 0.75:
            return special(self.source.content, self.dice, self.strays)
        return mutants.spoiled(self.source.content, self.dice)

    def put(self, folder: str = "in", name: str = "") -> Path:
        """Write the mutant to a file; returns its path."""
        path = self.work / folder / (name or self.source.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content())
        return path

    def one_of(self, *commands: Words) -> Words:
        """Choose one."""
        return self.dice.choice(commands)


def _inside(packer: Any) -> Callable[..., bytes]:
    return lambda content, dice, *_: packer.compress(mutants.spoiled(packer.decompress(content), dice))


KINDS: dict[str, Callable[..., bytes]] = {
    "checkpoint": mutants.spoiled_checkpoint, "run": mutants.spoiled_json, "like": mutants.spoiled_like,
}  # fmt: skip
ENDS: dict[str, Callable[..., bytes]] = {
    ".png": mutants.spoiled_png, ".safetensors": mutants.spoiled_safetensors, "-ubyte": mutants.spoiled_idx,
    ".json": mutants.spoiled_json, ".pkl": pickle_mutants.spoiled_pickle, ".pth": pickle_mutants.spoiled_pth,
    ".npz": pickle_mutants.spoiled_npz, ".gz": _inside(gzip), ".bz2": _inside(bz2), ".xz": _inside(lzma),
}  # fmt: skip


def command(case: Case) -> Words:
    """Put a mutant where it belongs, and choose a command that reads it."""
    return COMMANDS[case.source.kind](case)


# --------------------------------------------------------------------------------------------- runs and models


def _train(case: Case, variant: str, folder: Path) -> Words:
    """Go on for a step, or only say what would happen."""
    words = [*whole_files.training(variant, folder, case.dice.choice([2, 2, 3]), case.whole), "--resume"]
    return words + (["--dry-run"] if case.dice.random() < 0.3 else [])


def _copy(case: Case, variant: str) -> Path:
    return Path(shutil.copytree(case.whole / "runs" / variant, case.work / "out" / "run"))


def _of_a_run(case: Case, variant: str, folder: Path) -> Words:
    train = _train(case, variant, folder)
    info = ["info", folder, *case.dice.choice([[], ["--json"]])]
    sample = ["sample", folder, "-n", 2, "--out", "out/x.png", *case.dice.choice([[], ["--best"]])]
    return case.one_of(train, train, train, info, ["check", folder], sample)


def _run(case: Case) -> Words:
    folder = _copy(case, "gan")
    (folder / case.source.name).write_bytes(case.content())
    return _of_a_run(case, "gan", folder)


def _checkpoint(case: Case) -> Words:
    variant = Path(case.source.name).stem
    if variant in RESUMED and case.dice.random() < 0.6:
        folder = _copy(case, variant)
        name = case.dice.choice(["000000004", "000000008", "000000008", "best"])
        (folder / "checkpoints" / f"{name}.safetensors").write_bytes(case.content())
        return _of_a_run(case, variant, folder)
    path, picture = case.put(), case.whole / case.dice.choice(["data/000.png", "domains/A/000.png"])
    return case.one_of(
        ["info", path, *case.dice.choice([[], ["--json"]])],
        ["check", path],
        ["sample", path, "-n", 2, "--out", case.dice.choice(["out/x.png", "out/x.npz", "out"])],
        ["translate", path, picture, "--out", "out/x.png", *case.dice.choice([[], ["--mask", "2,2,4,4"]])],
        ["interpolate", path, "--out", "out/x.png"],
        ["eval", path, "--data", case.whole / "data", "-n", 4],
    )


# ------------------------------------------------------------------------------------------------------- data


def _image(case: Case) -> Words:
    path = case.put()
    return case.one_of(
        ["info", path],
        ["translate", case.whole / "cyclegan.safetensors", path, "--out", f"out/x{path.suffix}"],
        ["sample", "--like", path, "--out", "out/x.png"],
        [*PLAN, "--data", "in"],
        ["interpolate", case.whole / "vae.safetensors", "--images", path, path, "--out", "out/x.png"],
    )


def _like(case: Case) -> Words:
    path = case.put()
    like = ["sample", "--like", path, "--out", case.dice.choice(["out/x.png", "out/x.npz", "out"])]
    named = [*like[:1], case.whole / "runs" / path.stem, *like[1:]]
    return case.one_of(like, like, named, ["info", path])


def _data(case: Case) -> Words:
    path = case.put()
    return case.one_of(["info", path], [*PLAN, "--data", path], [*PLAN, "--data", "in"], ["eval", path, "--data", path])


def _cache(case: Case) -> Words:
    shutil.copytree(case.whole / "cache", case.work / "cache", dirs_exist_ok=True)
    case.put("cache")
    train = [*whole_files.training("gan", case.work / "out" / "run", 1, case.whole), "--dry-run"]
    return case.one_of(train, train, ["check", "cache"])


# ----------------------------------------------------------------------------------------- pickles and the like


def _pth(case: Case) -> Words:
    path = case.put()
    named = ["import", path, "--as", "x"]
    return case.one_of(named, named, named, ["info", path], ["sample", path], ["check", path])


def _stats(case: Case) -> Words:
    path = case.put()
    return ["eval", case.whole / "data", "--stats", path, "--metrics", case.dice.choice(["fid", "fid,is", "kid"])]


def _trust(case: Case) -> Words:
    shutil.copytree(case.whole / "config", case.work / "config", dirs_exist_ok=True)
    if case.source.name.endswith(".py"):
        path = case.put()
        return case.one_of(["trust", path], ["trust", "--withdraw", path], ["info", path], ["check", path])
    case.put("config/gancli/trusted")
    mine = case.whole / "mine.py"
    return case.one_of(["trust"], ["trust", "--json"], ["trust", "--withdraw", mine], ["trust", mine])


# ------------------------------------------------------------------------- links, pipes, sockets and devices


def specials(target: Path) -> list[tuple[str, Callable[[Path], None]]]:
    """Ways to make what is no file, or is another's; `target` is what a link may lead to."""
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
    os.chdir(path.parent)  # the name of a socket may not be long
    with suppress(OSError), socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)
    os.chdir(here)


def _device(path: Path) -> None:
    """The one that never ends; root alone may make it."""
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


def _special(case: Case) -> Words:
    return case.dice.choice(SPECIAL)(case)


def _instead(case: Case, path: Path, target: Path) -> None:
    """Put something else in a place, whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    case.dice.choice(specials(target))[1](path)


def _special_in_a_run(case: Case) -> Words:
    variant = case.dice.choice(RESUMED)
    folder, name = _copy(case, variant), case.dice.choice(RUN_FILES + NUMBERED)
    if name:
        _instead(case, folder / name, case.whole / "runs" / variant / name)
    else:  # a link to another run of the user's own is one
        _instead(case, folder, Path(shutil.copytree(folder, case.work / "out" / "other")))
    return _of_a_run(case, variant, folder)


def _special_among_data(case: Case) -> Words:
    data = Path(shutil.copytree(case.whole / "data", case.work / "in" / "data"))
    name = case.dice.choice(["000.png", "new.png", "sub", "train-images-idx3-ubyte", "sub/x.png", ""])
    _instead(case, data / name if name else data, case.whole / "data" / name)
    out = ["--out", "out/run"]
    return case.one_of([*PLAN, "--data", data, *out], ["eval", data, "--data", data], ["info", data])


def _special_in_the_cache(case: Case) -> Words:
    shutil.copytree(case.whole / "cache", case.work / "cache", dirs_exist_ok=True)
    (entry,) = (path for path in (case.work / "cache" / "images").iterdir() if not path.name.startswith("."))
    path = case.dice.choice([entry, entry.parent, *sorted(entry.iterdir()), case.work / "cache" / "CACHEDIR.TAG"])
    _instead(case, path, case.whole / path.relative_to(case.work))
    train = [*whole_files.training("gan", case.work / "out" / "run", 1, case.whole), "--dry-run"]
    return case.one_of(train, ["check", "cache"])


def _special_input(case: Case) -> Words:
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


def _special_output(case: Case) -> Words:
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


SPECIAL = (_special_in_a_run, _special_among_data, _special_input, _special_output, _special_in_the_cache)
COMMANDS: dict[str, Callable[[Case], Words]] = {
    "checkpoint": _checkpoint,
    "run": _run,
    "image": _image,
    "like": _like,
    "archive": _data,
    "array": _data,
    "cache": _cache,
    "pth": _pth,
    "stats": _stats,
    "trust": _trust,
    "special": _special,
}
SHARES = ("checkpoint", "run", "like", "stats", "pth", "special") * 2 + tuple(COMMANDS)
assert set(RESUMED) <= set(VARIANTS)
