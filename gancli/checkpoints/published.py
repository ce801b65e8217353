"""Published translators, by name: downloaded once from their authors' server and converted."""

from pathlib import Path

from gancli.errors import UserError
from gancli.system import atomic, cache, cache_room, download
from gancli.system.digests import sha256_of
from gancli.system.untrusted.terminal import warn

HOST = "http://efrosgans.eecs.berkeley.edu"
CYCLEGAN = (
    "apple2orange", "orange2apple", "summer2winter_yosemite", "winter2summer_yosemite", "horse2zebra", "zebra2horse",
    "monet2photo", "style_monet", "style_cezanne", "style_ukiyoe", "style_vangogh", "sat2map", "map2sat",
    "cityscapes_photo2label", "cityscapes_label2photo", "facades_photo2label", "facades_label2photo",
    "iphone2dslr_flower",
)  # fmt: skip
PIX2PIX = ("edges2shoes", "edges2handbags", "facades_label2photo", "day2night", "map2sat", "sat2map")
FAMILIES = {"cyclegan": CYCLEGAN, "pix2pix": PIX2PIX}
SHA256: dict[str, str] = {}  # by FAMILY/NAME: the expected hash of the file; none is known yet, see `_convert`


def names() -> list[str]:
    """List the published names; a name that both families have is prefixed with its family."""
    return [_short(family, name) for family, members in FAMILIES.items() for name in members]


def _short(family: str, name: str) -> str:
    return f"{family}/{name}" if sum(name in members for members in FAMILIES.values()) > 1 else name


def find(name: str) -> tuple[str, str] | None:
    """Return family and name of a published model; None for other names.

    Raise UserError if both families have the name.
    """
    family, _, plain = name.rpartition("/")
    families = [f for f, members in FAMILIES.items() if plain in members and family in ("", f)]
    if len(families) > 1:
        raise UserError(f"{name} is ambiguous: give {' or '.join(f'{f}/{name}' for f in families)}")
    return (families[0], plain) if families else None


def url(family: str, name: str) -> str:
    """Return the authors' URL of a model; GANCLI_MIRROR replaces their host."""
    return download.mirrored(f"{HOST}/{family}/pretrained_models/{name}.pth")


def fetch_checkpoint(family: str, name: str) -> Path:
    """Return the checkpoint of a published model from the cache, downloading and converting it the first time.

    Raise UserError if it cannot be downloaded, with the path to put it at, or has wrong content, which is removed.
    """
    where = "published", family, f"{name}.safetensors"
    if found := next(filter(Path.is_file, cache.places(*where)), None):
        return found
    converted = cache.folder(*where[:2]) / where[2]
    source = converted.with_suffix(".pth")
    with cache.full_is_said(cache.root()), download.alone(source.parent):
        if converted.is_file():  # another process was faster
            return converted
        if cache_room.is_marked(cache.root()):
            atomic.remove_leftovers(source.parent)
        if not source.is_file():
            _fetch(family, name, source)
        _convert(family, name, source, converted)
    return converted


def _fetch(family: str, name: str, source: Path) -> None:
    """Download by https if the host supports it."""
    plain, known = url(family, name), SHA256.get(f"{family}/{name}")
    secure = plain.replace("http://", "https://", 1) if plain.startswith(HOST) else plain
    try:
        warn(f"fetching {secure}")
        download.fetch(secure, source, known, download.show)
    except download.Unfetched as error:
        if secure == plain:
            raise
        vouched = "its known sha256 is checked" if known else "its sha256 is recorded now and checked from now on"
        warn(f"{error.why}; fetching {plain} over an insecure connection: {vouched}")
        download.fetch(plain, source, known, download.show)


def _convert(family: str, name: str, source: Path, converted: Path) -> None:
    """Convert a file after checking its hash: the known one, or that of the first download that could be converted.

    Raise UserError and remove the file if it does not match.
    """
    from gancli.checkpoints.importers.convert import convert
    from gancli.checkpoints.importers.layout import Asked

    note = source.with_suffix(".pth.sha256")
    found, known = sha256_of(source), SHA256.get(f"{family}/{name}")
    wanted = known or (note.read_text().strip() if note.is_file() else None)
    try:
        if wanted not in (None, found):
            accept = "" if known else f"; delete {note} if the new file is right"
            raise UserError(f"its sha256 is {found}, but {name} had {wanted} before{accept}")
        convert(source, converted, Asked(name))
    except UserError as error:
        source.unlink(missing_ok=True)
        raise UserError(f"{source} was removed: {error}") from None
    atomic.write_text(note, found + "\n")
