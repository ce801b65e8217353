"""Run .py files only if the user trusts them: a checkpoint can name a file, and may come from anyone.

A .py file is read once, as bytes: those bytes are hashed, compared and executed, and no bytecode of it is read or
written. The user's trust is a mark in the user's configuration, named by the SHA-256 of the content, so a changed file
is not trusted. As with `direnv allow` and ssh's known_hosts, trust is given once, and can be listed and withdrawn.
"""

import os
import re
import shlex
import stat
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from gancli.errors import UserError
from gancli.system import atomic
from gancli.system.untrusted.door import check_regular, read_json, reading, to_json

LARGEST_CODE = 2**24  # bytes of one file
PACKAGE = Path(__file__).parents[2]
_own: set[str] = set()  # the files that were read from outside of the package
DIGITS = 8  # the least number of a hash's digits that name a mark


@dataclass(frozen=True)
class Code:
    """A .py file with the content that was read."""

    path: Path
    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the content."""
        return sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Mark:
    """The record that a content is trusted, with the file in which it was last seen."""

    sha256: str
    path: str


@dataclass(frozen=True)
class _Written:
    path: str


# ------------------------------------------------------------------------------------------------- code


def read(path: Path) -> Code:
    """Read a .py file once per command: later calls return the same bytes."""
    return _read(path, path.absolute())


def is_own(file: str | None) -> bool:
    """Return whether a file of code was read as the user's own: it is none of gancli's."""
    return file in _own


@cache
def _read(path: Path, _where: Path) -> Code:
    check_regular(path)
    with reading(str(path)), path.open("rb") as file:
        content = file.read(LARGEST_CODE + 1)
    if len(content) > LARGEST_CODE:
        raise UserError(f"{path} is too large for a file of code: at most {LARGEST_CODE:,} bytes are allowed")
    if not path.absolute().is_relative_to(PACKAGE):
        _own.add(str(path))
    return Code(path, content)


def forget() -> None:
    """Forget the files that were read, because another command begins."""
    _read.cache_clear()
    _own.clear()


def execute(code: Code, name: str = "") -> ModuleType:
    """Run a file's content as a module; it cannot import files that lie beside it."""
    # the default name is unique: a file torch.py must not replace torch
    module = ModuleType(name or f"gancli.file.{code.path.stem}_{code.sha256[:8]}")
    module.__file__, module.__package__ = str(code.path), ""
    sys.modules[module.__name__] = module  # dataclasses look their module up by name
    exec(compile(code.content, str(code.path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module


# ------------------------------------------------------------------------------------------------- marks


def check(code: Code, trained_with: str) -> None:
    """Raise UserError unless the code is that which the checkpoint was trained with, and the user trusts it."""
    if code.sha256 != trained_with:
        raise UserError(
            f"{code.path} has changed since this checkpoint was trained with it: restore it, or train again"
        )
    if not trusted(code):
        raise UserError(
            f"this checkpoint needs to run {code.path}, which you have never trained: if you trust that file, "
            f"run gancli trust {shlex.quote(str(code.path))}"
        )


def trusted(code: Code) -> bool:
    """Return whether the user trusts the current content; raise UserError if others could have written the mark."""
    mark = folder() / code.sha256
    if not os.path.lexists(mark):
        return False
    _check_private(folder())
    _check_mark(mark)
    return True


def allow(code: Code) -> None:
    """Record that the user trusts the current content of a file, so that checkpoints may load it."""
    mark = _own_folder() / code.sha256
    with atomic.replacing(mark) as temporary:
        temporary.write_text(to_json({"path": str(code.path.absolute())}))
    mark.chmod(0o600)  # its folder is private, too


def marks() -> list[Mark]:
    """List the marks of all trusted files."""
    if not folder().is_dir():
        return []
    _check_private(folder())
    found = sorted(path for path in folder().iterdir() if re.fullmatch(r"[0-9a-f]{64}", path.name))
    for path in found:
        _check_mark(path)
    return [Mark(path.name, read_json(path, _Written).path) for path in found]


def withdraw(given: str) -> list[Mark]:
    """Withdraw trust from all versions of a file, or from a hash prefix; return the removed marks."""
    gone = [mark for mark in marks() if _names(given, mark)]
    if not gone:
        raise UserError(f"{given} is not trusted: run gancli trust to list what is")
    for mark in gone:
        (folder() / mark.sha256).unlink(missing_ok=True)
    return gone


def _names(given: str, mark: Mark) -> bool:
    path = Path(given)
    by_hash = len(given) >= DIGITS and mark.sha256.startswith(given.lower())
    return by_hash or mark.path == str(path.absolute()) or (path.is_file() and read(path).sha256 == mark.sha256)


def folder() -> Path:
    """Return the folder of the marks, which may not exist yet; raise UserError without a home directory."""
    from platformdirs import user_config_path

    found = user_config_path("gancli", appauthor=False) / "trusted"
    if not found.is_absolute():  # no home directory, and the current folder must not replace it
        raise UserError("there is no folder to record which code you trust: set HOME or XDG_CONFIG_HOME")
    return found


def _own_folder() -> Path:
    """Create the folder of the marks, accessible only to its owner."""
    made = folder()
    made.parent.parent.mkdir(parents=True, exist_ok=True)
    for path in (made.parent, made):
        path.mkdir(mode=0o700, exist_ok=True)
    _check_private(made)
    return made


def _check_mark(mark: Path) -> None:
    check_regular(mark, follow=False)
    _check_own(mark)


def _check_private(marks: Path) -> None:
    for place in (marks.parent, marks):
        _check_own(place)


def _check_own(path: Path) -> None:
    """Raise UserError if another user could have written to a path."""
    if os.name == "nt":  # Windows has no such permission bits
        return
    found, why = path.stat(), ""
    if found.st_uid != os.geteuid():
        why = "it belongs to another user"
    elif stat.S_IMODE(found.st_mode) & 0o022:
        why = f"others may write to it (chmod go-w {shlex.quote(str(path))})"
    if why:
        raise UserError(f"the record of trusted code in {path} is not safe to use: {why}")
