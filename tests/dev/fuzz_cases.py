"""A mutant, the folders it may be written to, and the commands that read a run."""

import bz2
import gzip
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.dev import mutants, pickle_mutants, whole_files
from tests.dev.mutants import Dice
from tests.dev.whole_files import Source

Words = list[Any]

SMALL = ("--batch", "4", "--width", "4", "--z-dim", "4", "--precision", "fp32")
PLAN = ("train", "gan", "--steps", "1", "--dry-run", "--device", "cpu", "--size", "8", "--workers", "2", *SMALL)
RESUMED = ("gan", "gan", "dcgan", "cgan")  # variants whose steps are fast


class Case(NamedTuple):
    """A mutant, and the folders it may be written to."""

    source: Source
    whole: Path  # valid files; nothing may write here
    work: Path  # the current folder, with empty `in`, `out`, `runs`, `cache` and `config`
    dice: Dice
    strays: list[bytes]  # valid JSON of other files

    def content(self) -> bytes:
        """Damage the file, in a way specific to its format or in a general one."""
        special = KINDS.get(self.source.kind) or next(
            (w for e, w in ENDS.items() if self.source.name.endswith(e)), None
        )
        if special is not None and self.dice.random() < 0.75:
            return special(self.source.content, self.dice, self.strays)
        return mutants.spoiled(self.source.content, self.dice)

    def put(self, folder: str = "in", name: str = "") -> Path:
        """Write the mutant to a file and return its path."""
        path = self.work / folder / (name or self.source.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content())
        return path

    def one_of(self, *commands: Words) -> Words:
        """Choose one."""
        return self.dice.choice(commands)


def _inside(packer: Any) -> Callable[..., bytes]:
    return lambda content, dice, *_: packer.compress(mutants.spoiled(packer.decompress(content), dice))


def _spoiled_weights(content: bytes, dice: Dice, strays: list[bytes]) -> bytes:
    """Damage the config beside weights, the container of the weights, or names and shapes of tensors."""
    if content.startswith(b"{"):
        return mutants.spoiled_json(content, dice, strays)
    if content.startswith(b"PK") and b".npy" in content:
        return pickle_mutants.spoiled_npz(content, dice)
    if not content.startswith((b"PK", b"\x80")):  # ncnn's have no structure of their own
        return mutants.spoiled(content, dice)
    return dice.choice([pickle_mutants.spoiled_state, pickle_mutants.spoiled_pth])(content, dice)


KINDS: dict[str, Callable[..., bytes]] = {
    "weights": _spoiled_weights,
    "checkpoint": mutants.spoiled_checkpoint, "run": mutants.spoiled_json, "like": mutants.spoiled_like,
}  # fmt: skip
ENDS: dict[str, Callable[..., bytes]] = {
    ".png": mutants.spoiled_png, ".safetensors": mutants.spoiled_safetensors, "-ubyte": mutants.spoiled_idx,
    ".json": mutants.spoiled_json, ".pkl": pickle_mutants.spoiled_pickle, ".pth": pickle_mutants.spoiled_pth,
    ".npz": pickle_mutants.spoiled_npz, ".gz": _inside(gzip), ".bz2": _inside(bz2), ".xz": _inside(lzma),
}  # fmt: skip


# --------------------------------------------------------------------------------------------- runs and models


def _train(case: Case, variant: str, folder: Path) -> Words:
    """Return a command that resumes a run for a step or two, sometimes as a dry run."""
    words = [*whole_files.training(variant, folder, case.dice.choice([2, 2, 3]), case.whole), "--resume"]
    return words + (["--dry-run"] if case.dice.random() < 0.3 else [])


def copy_run(case: Case, variant: str) -> Path:
    """Copy a valid run."""
    return Path(shutil.copytree(case.whole / "runs" / variant, case.work / "out" / "run"))


def command_of_run(case: Case, variant: str, folder: Path) -> Words:
    """Choose a command that reads a run."""
    train = _train(case, variant, folder)
    info = ["info", folder, *case.dice.choice([[], ["--json"]])]
    sample = ["sample", folder, "-n", 2, "--out", "out/x.png", *case.dice.choice([[], ["--best"]])]
    return case.one_of(train, train, train, info, ["check", folder], sample)
