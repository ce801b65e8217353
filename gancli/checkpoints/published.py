"""Published models, by name: downloaded once from their authors' servers and converted."""

from pathlib import Path, PurePosixPath

from gancli.checkpoints.published_models import MODELS, Published
from gancli.errors import UserError
from gancli.system import atomic, cache, cache_room, download
from gancli.system.digests import sha256_of
from gancli.system.untrusted.terminal import warn

INSECURE = "http://"


def names() -> list[str]:
    """List the published names; a name that two families have is prefixed with its family."""
    return [_short(model) for model in MODELS]


def _short(model: Published) -> str:
    return model.full if sum(model.name == other.name for other in MODELS) > 1 else model.name


def find(name: str) -> Published | None:
    """Return the published model of a name; None for other names.

    Raise UserError if two families have the name.
    """
    found = [model for model in MODELS if name in (model.name, model.full)]
    if len(found) > 1:
        raise UserError(f"{name} is ambiguous: give {' or '.join(model.full for model in found)}")
    return found[0] if found else None


def url(model: Published) -> str:
    """Return the URL to fetch a model from; GANCLI_MIRROR replaces the authors' host."""
    return download.mirrored(model.url)


def fetch_checkpoint(model: Published) -> Path:
    """Return the checkpoint of a published model from the cache, downloading and converting it the first time.

    Raise UserError if it cannot be downloaded, with the path to put it at, or has wrong content, which is removed.
    """
    where = "published", model.family, f"{model.name}.safetensors"
    if found := next(filter(Path.is_file, cache.places(*where)), None):
        return found
    converted = cache.folder(*where[:2]) / where[2]
    source = converted.with_suffix(PurePosixPath(model.url).suffix)
    with cache.full_is_said(cache.root()), download.alone(source.parent):
        if converted.is_file():  # another process was faster
            return converted
        if cache_room.is_marked(cache.root()):
            atomic.remove_leftovers(source.parent)
        _fetch(model, source)
        _convert(model, source, converted)
    return converted


def _files(model: Published, source: Path) -> list[tuple[str, Path, str | None]]:
    """Return the URL of each file, the place for it, and its hash if the authors state it; the weights come first."""
    beside = [(model.config, source.with_suffix(".json"), None)] if model.config else []
    return [(model.url, source, model.sha256), *beside]


def _fetch(model: Published, source: Path) -> None:
    """Download what is missing, after naming the licence."""
    missing = [(address, path, known) for address, path, known in _files(model, source) if not path.is_file()]
    if missing:
        warn(f"{_short(model)}: {model.licence}")
    for address, path, known in missing:
        _fetch_file(address, path, known)


def _fetch_file(address: str, path: Path, known: str | None) -> None:
    """Download by https if the host supports it."""
    plain = download.mirrored(address)
    authors = address.startswith(INSECURE) and plain == address
    secure = plain.replace(INSECURE, "https://", 1) if authors else plain
    try:
        warn(f"fetching {secure}")
        download.fetch(secure, path, known, download.show)
    except download.Unfetched as error:
        if secure == plain:
            raise
        vouched = "its known sha256 is checked" if known else "its sha256 is recorded now and checked from now on"
        warn(f"{error.why}; fetching {plain} over an insecure connection: {vouched}")
        download.fetch(plain, path, known, download.show)


def _convert(model: Published, source: Path, converted: Path) -> None:
    """Convert after checking hashes: known ones, or those of the first downloads that could be converted.

    Raise UserError and remove the files if they do not match.
    """
    from gancli.checkpoints.importers.convert import convert
    from gancli.checkpoints.importers.layout import Asked

    files = _files(model, source)
    try:
        hashes = {_note(path): _checked(model, path, known) for _, path, known in files}
        convert(source, converted, Asked(model.name, classes=model.classes), {"licence": model.licence})
    except UserError as error:
        for _, path, _ in files:
            path.unlink(missing_ok=True)
        raise UserError(f"{source} was removed: {error}") from None
    for note, found in hashes.items():
        atomic.write_text(note, found + "\n")


def _note(path: Path) -> Path:
    return path.with_suffix(f"{path.suffix}.sha256")


def _checked(model: Published, path: Path, known: str | None) -> str:
    """Return the hash of a file; raise UserError if it had another one before."""
    found, note = sha256_of(path), _note(path)
    wanted = known or (note.read_text().strip() if note.is_file() else "")
    if not found.startswith(wanted):
        accept = "" if known else f"; delete {note} if the new file is right"
        raise UserError(f"its sha256 is {found}, but {model.name} had {wanted} before{accept}")
    return found
