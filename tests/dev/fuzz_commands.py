"""The commands that read mutants: one function for each kind of file."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.dev import fuzz_specials, whole_files
from tests.dev.fuzz_cases import PLAN, RESUMED, Case, Words, command_of_run, copy_run
from tests.dev.whole_files import PARITY, VARIANTS


def command(case: Case) -> Words:
    """Write a mutant where it belongs, and return a command that reads it."""
    return COMMANDS[case.source.kind](case)


def _run(case: Case) -> Words:
    folder = copy_run(case, "gan")
    (folder / case.source.name).write_bytes(case.content())
    return command_of_run(case, "gan", folder)


def _checkpoint(case: Case) -> Words:
    variant = Path(case.source.name).stem
    if variant in RESUMED and case.dice.random() < 0.6:
        folder = copy_run(case, variant)
        name = case.dice.choice(["000000004", "000000008", "000000008", "best"])
        (folder / "checkpoints" / f"{name}.safetensors").write_bytes(case.content())
        return command_of_run(case, variant, folder)
    path, picture = case.put(), case.whole / case.dice.choice(["data/000.png", "domains/A/000.png"])
    share = case.dice.choice([[], ["--truncation", 0.3]])
    return case.one_of(
        ["info", path, *case.dice.choice([[], ["--json"]])],
        ["check", path],
        ["sample", path, "-n", 2, "--out", case.dice.choice(["out/x.png", "out/x.npz", "out"]), *share],
        ["translate", path, picture, "--out", "out/x.png", *case.dice.choice([[], ["--mask", "2,2,4,4"]])],
        ["interpolate", path, "--out", "out/x.png", *share],
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


# ----------------------------------------------------------------------------------------- pickles, statistics, trust


def _pth(case: Case) -> Words:
    path = case.put()
    named = ["import", path, "--as", "x"]
    return case.one_of(named, named, named, ["info", path], ["sample", path], ["check", path])


def _weights(case: Case) -> Words:
    path = case.put()
    for other in PARITY.glob(f"{path.name.removesuffix('config.json')}*" if path.suffix == ".json" else "*.json"):
        if not (beside := path.with_name(other.name)).exists():
            shutil.copyfile(other, beside)
    for other in whole_files.ncnn() if path.name.startswith("net.") else ():
        if not (beside := path.with_name(other.name)).exists():
            beside.write_bytes(other.content)
    weights = next(path.parent.glob("*.bin")) if path.suffix == ".json" else path
    return ["import", weights, "--as", "x", *case.dice.choice([[], ["--size", 64], ["--classes", "a,b"]])]


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


COMMANDS: dict[str, Callable[[Case], Words]] = {
    "checkpoint": _checkpoint,
    "run": _run,
    "image": _image,
    "like": _like,
    "archive": _data,
    "array": _data,
    "cache": _cache,
    "pth": _pth,
    "weights": _weights,
    "stats": _stats,
    "trust": _trust,
    "special": fuzz_specials.put,
}
SHARES = ("checkpoint", "run", "like", "stats", "pth", "weights", "special") * 2 + tuple(COMMANDS)
assert set(RESUMED) <= set(VARIANTS)
