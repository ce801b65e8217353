"""Translators that others have published: by name, fetched once from where their authors put them, and converted."""

import os
import sys
from pathlib import Path

from gancli import atomic, download
from gancli.data import cache
from gancli.digests import sha256_of
from gancli.errors import UserError

HOST = "http://efrosgans.eecs.berkeley.edu"
CYCLEGAN = (
    "apple2orange", "orange2apple", "summer2winter_yosemite", "winter2summer_yosemite", "horse2zebra", "zebra2horse",
    "monet2photo", "style_monet", "style_cezanne", "style_ukiyoe", "style_vangogh", "sat2map", "map2sat",
    "cityscapes_photo2label", "cityscapes_label2photo", "facades_photo2label", "facades_label2photo",
    "iphone2dslr_flower",
)  # fmt: skip
PIX2PIX = ("edges2shoes", "edges2handbags", "facades_label2photo", "day2night", "map2sat", "sat2map")
FAMILIES = {"cyclegan": CYCLEGAN, "pix2pix": PIX2PIX}
SHA256: dict[str, str] = {}  # by FAMILY/NAME: what a file must hold; none is known yet, see `_check`


def names() -> list[str]:
    """List them; a name that both families have is given with its family."""
    return [_short(family, name) for family, members in FAMILIES.items() for name in members]


def _short(family: str, name: str) -> str:
    return f"{family}/{name}" if sum(name in members for members in FAMILIES.values()) > 1 else name


def find(name: str) -> tuple[str, str] | None:
    """Family and name of a published model; None for another name.

    Raises UserError for one that both families have.
    """
    family, _, plain = name.rpartition("/")
    families = [f for f, members in FAMILIES.items() if plain in members and family in ("", f)]
    if len(families) > 1:
        raise UserError(f"{name} was published twice: give {' or '.join(f'{f}/{name}' for f in families)}")
    return (families[0], plain) if families else None


def url(family: str, name: str) -> str:
    """Where the authors publish it; GANCLI_MIRROR replaces their host."""
    host = os.environ.get("GANCLI_MIRROR") or HOST
    return f"{host.rstrip('/')}/{family}/pretrained_models/{name}.pth"


def fetch_checkpoint(family: str, name: str) -> Path:
    """Give the checkpoint of a published model from the user's cache, fetching and converting it the first time.

    Raises UserError when it cannot be fetched, with the place to put it, and for wrong content, which is removed.
    """
    from gancli import importing

    folder = cache.root() / "published" / family
    converted, source = folder / f"{name}.safetensors", folder / f"{name}.pth"
    if converted.is_file():
        return converted
    if not source.is_file():
        print(f"gancli: fetching {url(family, name)}", file=sys.stderr)
        download.fetch(url(family, name), source, SHA256.get(f"{family}/{name}"), _progress)
    _check(family, name, source)
    try:
        importing.convert(source, converted, name)
    except UserError:
        source.unlink(missing_ok=True)
        raise
    return converted


def _check(family: str, name: str, source: Path) -> None:
    """Hold a file to the hash that is known, or else to the one that it had when it was first fetched."""
    note = source.with_suffix(".sha256")
    found = sha256_of(source)
    wanted = SHA256.get(f"{family}/{name}") or (note.read_text().strip() if note.is_file() else None)
    if wanted is None:
        atomic.write_text(note, found + "\n")
    elif found != wanted:
        source.unlink()
        raise UserError(f"{source} was removed: its sha256 is {found}, not {wanted}, which {name} had before")


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        share = f"{done / of:.0%}" if of else f"{done >> 20} MiB"
        print(f"\r{share}", end="\n" if done == of else "", file=sys.stderr, flush=True)
