"""A mutant and where it is put, and the commands that read a run."""

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


# --------------------------------------------------------------------------------------------- runs and models


def _train(case: Case, variant: str, folder: Path) -> Words:
    """Go on for a step, or only say what would happen."""
    words = [*whole_files.training(variant, folder, case.dice.choice([2, 2, 3]), case.whole), "--resume"]
    return words + (["--dry-run"] if case.dice.random() < 0.3 else [])


def copy_run(case: Case, variant: str) -> Path:
    """Copy a run that is whole."""
    return Path(shutil.copytree(case.whole / "runs" / variant, case.work / "out" / "run"))


def command_of_run(case: Case, variant: str, folder: Path) -> Words:
    """Choose a command that reads a run."""
    train = _train(case, variant, folder)
    info = ["info", folder, *case.dice.choice([[], ["--json"]])]
    sample = ["sample", folder, "-n", 2, "--out", "out/x.png", *case.dice.choice([[], ["--best"]])]
    return case.one_of(train, train, train, info, ["check", folder], sample)
