"""Train variants as a user would, and write docs/gallery.md: a grid of images, the time and the scores of each.

`python -m tests.dev.gallery --runs DIR [NAME…]` trains the named entries (default: those without an image) and
rewrites docs/gallery.md from the images, each of which contains its command, time and scores as a text chunk.
"""

import argparse
import json
import resource
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gancli.images.pixels import grid
from gancli.images.reading import upright
from gancli.images.writing import TEXT, read_about, save_png

ROOT = Path(__file__).parents[2]
PAGE, PICTURES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "pictures" / "gallery"
BEGIN, END = "<!-- {}: written by tests/dev/gallery.py -->", "<!-- end of {} -->"
MOST_BYTES = 150_000
COLUMNS = 12  # of held-out images
LOUD = ("mode_kl",)  # scores that tell a reader little


@dataclass(frozen=True)
class Entry:
    """A command and what its image shows; the image is cropped to `high` pixels."""

    command: str  # after `gancli train`
    caption: str
    high: int = 274
    unseen: str = ""  # a folder of --real; its held-out images are shown with their translations and the true images


NOISE = "64 samples"
PAIRS = "rows: images, their reconstructions, samples"
DEFAULTS = {  # every variant, with its default settings
    "aae": Entry("aae", PAIRS, 206),
    "aae-cluster": Entry("aae-cluster", "one cluster per row, one style per column; no labels were used", 560),
    "aae-labels": Entry("aae-labels", "one class per row; each class is a Gaussian in the plane of the code", 400),
    "aae-semi": Entry("aae-semi", "one class per row, one style per column; ten labels per class were used", 400),
    "acgan": Entry("acgan", "one class per row, the same noise in every row", 420),
    "began": Entry("began", "rows: real images, their reconstructions by D, samples, their reconstructions by D", 274),
    "bgan": Entry(
        "bgan", "every pixel is exactly black or white; only 30 of 65,536 possible images are in the data", 274
    ),
    "bigan": Entry("bigan", PAIRS, 206),
    "biggan": Entry("biggan", "one class per row, the same noise in every row", 420),
    "biggan-deep": Entry("biggan-deep", "one class per row, the same noise in every row", 420),
    "ccgan": Entry("ccgan", "rows: the image with a hole, the hole filled in, the original", 206),
    "cgan": Entry("cgan", "one class per row, the same noise in every row", 420),
    "cogan": Entry(
        "cogan",
        "a row of outlines and, below it, filled shapes from the same latents; no pairs were seen in training",
        242,
    ),
    "context-encoder": Entry("context-encoder", "rows: the image with a hole, the hole filled in, the original", 206),
    "dcgan": Entry("dcgan", NOISE),
    "dragan": Entry("dragan", NOISE),
    "ebgan": Entry("ebgan", "rows: real images, their reconstructions by D, samples, their reconstructions by D", 274),
    "fastgan": Entry("fastgan", NOISE),
    "fgan": Entry("fgan", NOISE),
    "gan": Entry("gan", NOISE),
    "improved": Entry("improved", NOISE),
    "infogan": Entry("infogan", "one value of the categorical code per row; no labels were used", 360),
    "lsgan": Entry("lsgan", NOISE),
    "progan": Entry("progan", NOISE),
    "r3gan": Entry("r3gan", NOISE),
    "ragan": Entry("ragan", NOISE),
    "rpgan": Entry("rpgan", NOISE),
    "sagan": Entry("sagan", "one class per row, the same noise in every row", 420),
    "sgan": Entry("sgan", NOISE + "; ten labels per class were used"),
    "sngan": Entry("sngan", NOISE),
    "sngan-proj": Entry("sngan-proj", "one class per row, the same noise in every row", 420),
    "stylegan": Entry("stylegan", NOISE),
    "stylegan2": Entry("stylegan2", NOISE),
    "stylegan3": Entry("stylegan3", NOISE),
    "vae": Entry("vae", PAIRS, 206),
    "wgan": Entry("wgan", NOISE),
    "wgan-gp": Entry("wgan-gp", NOISE),
    "wgan-gp-ring8": Entry("wgan-gp --data ring8", "2,500 samples (red) on 2,500 points of the data (grey)", 600),
}
BOTH_WAYS = "rows: outlines, their translations; filled shapes, their translations"
TRANSLATORS = {  # every translator, with its default settings
    "cyclegan": Entry("cyclegan", BOTH_WAYS),
    "cyclegan-no-cycle": Entry("cyclegan --cycle 0", f"control without its cycle; {BOTH_WAYS}"),
    "cut": Entry("cut", "rows: outlines, their translations", 206),
    "cut-no-nce": Entry("cut --nce 0", "control without its contrastive loss; rows: outlines, their translations", 206),
    "discogan": Entry("discogan", BOTH_WAYS),
    "dualgan": Entry("dualgan", BOTH_WAYS),
    "fastcut": Entry("fastcut", "rows: outlines, their translations", 206),
    "pix2pix": Entry("pix2pix", "rows: outlines, their translations, the true images", 206),
    "unit": Entry("unit", BOTH_WAYS),
}
FASHION, EMOJI = "FASHION", "EMOJI"  # folders of --real
REAL = {  # on real images
    "fashion-rpgan": Entry("rpgan --data FASHION --size 32 --minutes 4", NOISE),
    "fashion-dcgan": Entry("dcgan --data FASHION --size 32 --minutes 4", NOISE),
    "emoji-rpgan": Entry("rpgan --data EMOJI/A --size 32 --minutes 4", NOISE),
    "emoji-dcgan": Entry("dcgan --data EMOJI/A --size 32 --minutes 4", NOISE),
    "emoji-64": Entry("rpgan --data EMOJI/A --size 64 --minutes 10", NOISE, 530),
    "fashion-acgan": Entry("acgan --data FASHION", "one class of Fashion-MNIST per row", 360),
    "fashion-cgan": Entry("cgan --data FASHION", "one class of Fashion-MNIST per row", 360),
    "fashion-infogan": Entry(
        "infogan --data FASHION --width 32 --kimg 150",
        "one value of the categorical code per row; no labels were used",
        360,
    ),
    **{
        f"fashion-{name}": Entry(f"{name} --data FASHION --size 32", "one class of Fashion-MNIST per row", 360)
        for name in ("biggan", "biggan-deep", "sagan", "sngan-proj", "stylegan", "stylegan3")
    },
    "emoji-progan": Entry("progan --data EMOJI/A --size 32", NOISE),
    "emoji-fastgan": Entry("fastgan --data EMOJI/A --size 32", NOISE),
    "emoji-stylegan2": Entry("stylegan2 --data EMOJI/A --size 32", NOISE),
    "emoji-r3gan": Entry("r3gan --data EMOJI/A --size 32", NOISE),
    "fashion-bigan": Entry("bigan --data FASHION --kimg 1200", PAIRS, 206),
    "fashion-aae": Entry("aae --data FASHION --z-dim 16", PAIRS, 206),
    "emoji-ccgan": Entry(
        "ccgan --data EMOJI/by-class --size 32 --kimg 150",
        "rows: the image with a hole, the hole filled in, the original",
        206,
    ),
    "emoji-context-encoder": Entry(
        "context-encoder --data EMOJI/A --size 32 --kimg 60",
        "rows: the image with a hole, the hole filled in, the original",
        206,
    ),
}
TRUTH = "rows: held-out sources, their translations, the true images"
UNSEEN = {  # translators on real images; HELD is where split() puts them
    "openmoji": Entry(
        "pix2pix --data HELD/OPENMOJI --size 64 --layers 2 --lr 4e-4 --kimg 90", f"line art, coloured; {TRUTH}",
        unseen="OPENMOJI",
    ),
    "emoji": Entry(
        "cyclegan --data HELD/EMOJI --size 64 --width 16 --lr 5e-4 --kimg 16", f"Google's to Twitter's; {TRUTH}",
        unseen="EMOJI",
    ),
}  # fmt: skip
SECTIONS = {"defaults": DEFAULTS, "translators": TRANSLATORS, "real": REAL, "unseen": UNSEEN}


def split(real: Path, held: Path) -> None:
    """Link two domains of emoji into trainA, trainB, testA and testB: every twentieth character is held out."""
    for picture in sorted(real.glob("[AB]/*.png")):
        first = int(
            picture.stem.split("-")[0], 16
        )  # all skin tones, hair styles and flags of a character stay together
        link = held / f"{'test' if first % 20 == 7 else 'train'}{picture.parent.name}" / picture.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(picture.resolve())


def show_unseen(entry: Entry, run: Path, held: Path) -> Image.Image:
    """Translate held-out images, 12 per row, with the true images below."""
    names = sorted(path.name for path in (held / "testA").iterdir())
    names = names[:: len(names) // (2 * COLUMNS)][: 2 * COLUMNS]
    size = dict(zip(words := shlex.split(entry.command), words[1:]))["--size"]
    sources = [str(held / "testA" / name) for name in names]
    command = [
        "translate",
        str(run),
        *sources,
        "--out",
        str(run / "unseen"),
        "--overwrite",
        "--direction",
        "AB",
        "--size",
        size,
    ]
    subprocess.run([sys.executable, "-m", "gancli", *command], check=True, stdout=subprocess.DEVNULL)
    rows = []
    for first in (0, COLUMNS):
        for folder in (held / "testA", run / "unseen", held / "testB"):
            for name in names[first : first + COLUMNS]:
                with Image.open(folder / name) as picture:
                    rows.append(
                        np.asarray(upright(picture).convert("RGB").resize((int(size), int(size)), Image.Resampling.BOX))
                    )
    return grid(np.stack(rows), COLUMNS)


def train(name: str, entry: Entry, runs: Path, real: Path) -> None:
    """Run the command, and store the last grid of its run."""
    run = runs / name
    if entry.unseen and not (runs / "HELD" / entry.unseen).exists():
        split(real / entry.unseen, runs / "HELD" / entry.unseen)
    at = {FASHION: real, EMOJI: real, "HELD": runs}
    words = [
        f"{at[first]}/{word}" if (first := word.split("/")[0]) in at else word for word in shlex.split(entry.command)
    ]
    command = [sys.executable, "-m", "gancli", "train", *words, "--out", str(run), "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # so that other programs do not count
    keep(name, entry, run, seconds, json.loads(done.stdout)["metrics"])


def keep(name: str, entry: Entry, run: Path, seconds: float, metrics: dict[str, float]) -> None:
    """Crop the last grid of a run, and write it with its command, time and scores."""
    with Image.open(max((run / "samples").glob("*.png"))) as grid:
        about = json.loads(grid.info[TEXT])
        picture = grid.crop((0, 0, grid.width, min(grid.height, entry.high)))
    if entry.unseen:
        picture = show_unseen(entry, run, run.parent / "HELD" / entry.unseen)
    elif picture.width > 512:
        picture = picture.resize((512, round(512 * picture.height / picture.width)), Image.Resampling.LANCZOS)
    about |= {"command": f"gancli train {entry.command}", "seconds": round(seconds, 1), "metrics": metrics}
    path = PICTURES / f"{name}.png"
    save_png(picture.quantize(256), path, about)
    assert path.stat().st_size < MOST_BYTES, path


def table(entries: dict[str, Entry]) -> str:
    """Return the sections of all entries that have an image."""
    parts = []
    for name, entry in entries.items():
        path = PICTURES / f"{name}.png"
        if path.is_file():
            about = read_about(path)
            parts.append(
                f"### `{about['command']}`\n\n{said(entry, about)}\n\n![{name}](pictures/gallery/{name}.png)\n"
            )
    return "\n".join(parts)


def said(entry: Entry, about: dict) -> str:
    """Return one line: length, time, scores, and what the image shows."""
    minutes, seconds = divmod(round(about.get("seconds", 0)), 60)
    took = f" in {minutes} min {seconds} s" if minutes else f" in {seconds} s" if seconds else ""
    scores = "".join(f"; {k.replace('_', ' ')} {v:.3g}" for k, v in about["metrics"].items() if k not in LOUD)
    return f"{round(about['images'] / 1000):,} kimg{took}{scores}. Shown: {entry.caption}."


def write_page() -> None:
    """Write the sections between their marks in docs/gallery.md."""
    text = PAGE.read_text(encoding="utf-8")
    for section, entries in SECTIONS.items():
        begin, end = BEGIN.format(section), END.format(section)
        head, rest = text.split(begin)
        text = f"{head}{begin}\n\n{table(entries)}\n{end}{rest.split(end)[1]}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    """Train the entries on the command line, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="entries to train; default: those without an image")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--real", type=Path, default=Path(), help="folder of FASHION and EMOJI; default: this one")
    parser.add_argument("--page-only", action="store_true", help="train nothing, rewrite docs/gallery.md")
    options = parser.parse_args()
    entries = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
    names = options.names or [name for name in entries if not (PICTURES / f"{name}.png").is_file()]
    for name in [] if options.page_only else names:
        train(name, entries[name], options.runs, options.real)
    write_page()


if __name__ == "__main__":
    main()
