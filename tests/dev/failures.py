"""Provoke failures of training, and write the pictures of docs/when-training-goes-wrong.md.

    python -m tests.dev.failures [NAME…]

Each entry is one run of some seconds on built-in data, with settings that are known to fail. Its picture holds the
command and the warning that the command printed; an entry whose command no longer prints its warning is an error.
"""

import argparse
import contextlib
import io
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gancli.cli.main import run
from gancli.images.pixels import Pixels
from gancli.images.writing import save_png

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures" / "failures"
MOST_BYTES = 40_000
GAP = 24  # pixels
DIGITS = ROOT / "gancli" / "data" / "vendored" / "digits.npz"
FEW = "few-digits"  # a folder that main() writes
FEW_IMAGES = 4


@dataclass(frozen=True)
class Entry:
    """A command that fails, the warning that it prints, and the images of the run that show it."""

    command: str
    warning: str  # a part of a line that the command must print; "" if it prints none
    shown: tuple[int, ...] = (-1,)  # sample grids, by their place in the run, from which the picture takes rows
    rows: int = 4  # of each grid
    code: int = 0
    beside: bool = False  # all training images, and beside them all samples


ENTRIES = {
    "collapse": Entry("gancli train gan --data digits --kimg 8 --g-lr 0.02 --ema-kimg 0", "mode collapse"),
    "overpowered": Entry("gancli train gan --data digits --kimg 8 --n-critic 20", "D overpowers G"),
    "diverged": Entry("gancli train gan --data digits --kimg 2 --lr 1e12", "training diverged", code=3),
    "copied": Entry(
        f"gancli train rpgan --data {FEW} --kimg 60 --metrics local --scale 4",
        "% of the samples are copies of training images",
        beside=True,
    ),
    "short": Entry("gancli train dcgan --data shapes-easy --kimg 4", "", (0, 1, 2, 3), 1),
}  # fmt: skip


def provoke(name: str, entry: Entry) -> Path:
    """Run a command, check that it warns, and write its picture."""
    out, said, failed = Path(name), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(failed):
        code = run([*shlex.split(entry.command)[1:], "--out", name])
    lines = [line for line in (said.getvalue() + failed.getvalue()).splitlines() if entry.warning in line]
    assert code == entry.code, (code, failed.getvalue())
    assert lines, f"{entry.command} no longer prints '{entry.warning}': {said.getvalue()}{failed.getvalue()}"
    about = {"command": entry.command, "warning": " ".join(lines[0].split()) if entry.warning else ""}
    path = PICTURES / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png(picture(out, entry).quantize(256), path, about)
    assert path.stat().st_size < MOST_BYTES, path
    return path


def picture(folder: Path, entry: Entry) -> Image.Image:
    """Stack the first rows of the sample grids that an entry names, or show the last beside the training images."""
    files = sorted((folder / "samples").glob("*.png"))
    if entry.beside:
        return beside(Image.open(folder / "reals.png").convert("RGB"), Image.open(files[-1]).convert("RGB"))
    sheets = [Image.open(files[place]).convert("RGB") for place in entry.shown]
    height = round((sheets[0].height - 2) * entry.rows / 8) + 2
    return Image.fromarray(np.concatenate([np.asarray(sheet)[:height] for sheet in sheets]))


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Place two images on white, side by side."""
    both = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + GAP, 0))
    return both


def few_digits(folder: Path) -> None:
    """Write a folder of a few scans."""
    folder.mkdir()
    with np.load(DIGITS) as file:
        images: Pixels = file["images"][:FEW_IMAGES]
    for i, image in enumerate(images):
        Image.fromarray(np.squeeze(image)).save(folder / f"{i:02}.png")


def main() -> None:
    """Provoke the named failures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries; default: all")
    names = parser.parse_args().names or list(ENTRIES)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        few_digits(Path(FEW))
        for name in names:
            print(provoke(name, ENTRIES[name]), flush=True)


if __name__ == "__main__":
    main()
